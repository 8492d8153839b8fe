# Prepared statements, COPY, and statements sent without waiting for their answers.
require 'pg'

insert = 'INSERT INTO tally (worker, n) VALUES ($1, $2)'
failed = []
stop = false
threads = [1, 2, 3].map do |worker|
  Thread.new do
    connection = PG.connect
    connection.prepare('insert', insert)
    n = 0
    until stop
      connection.exec_prepared('insert', [worker, n])
      connection.transaction do
        connection.exec_params(insert, [worker, n + 1])
        raise 'rows are missing' unless connection.exec('SELECT generate_series(1, 30)').ntuples == 30
      end
      connection.copy_data('COPY tally (worker, n) FROM STDIN') { connection.put_copy_data("#{worker}\t#{n + 2}\n") }
      connection.enter_pipeline_mode
      connection.send_query_params(insert, [worker, n + 3])
      connection.send_query_prepared('insert', [worker, n + 4])
      connection.pipeline_sync
      2.times { connection.get_result.check.clear; connection.get_result }
      connection.get_result.check
      connection.exit_pipeline_mode
      $stdout.write((0..4).map { |more| "#{worker}/#{n + more}\n" }.join)
      $stdout.flush
      n += 5
    end
    connection.close
  rescue StandardError => error
    failed << error.full_message(highlight: false)
  end
end
$stdin.read
stop = true
threads.each(&:join)
abort failed.join("\n") unless failed.empty?
