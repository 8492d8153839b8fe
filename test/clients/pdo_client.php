<?php
/** PDO with prepared statements of the server, which it names and gives up by itself; and libpq's own interface beside it. */

$pdo = new PDO(
    sprintf('pgsql:host=%s;port=%s;dbname=%s', getenv('PGHOST'), getenv('PGPORT'), getenv('PGDATABASE')),
    getenv('PGUSER'),
    getenv('PGPASSWORD'),
    [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => false]
);
$other = pg_connect('');
stream_set_blocking(STDIN, false);
for ($n = 0; !feof(STDIN); $n += 5) {
    fread(STDIN, 1);
    $insert = $pdo->prepare('INSERT INTO tally (worker, n) VALUES (?, ?)');
    $insert->execute([1, $n]);
    $pdo->beginTransaction();
    $insert->execute([1, $n + 1]);
    $insert->execute([1, $n + 2]);
    $rows = $pdo->query('SELECT generate_series(1, 30)')->fetchAll();
    if (count($rows) !== 30) exit('rows are missing');
    $pdo->commit();
    $pdo->pgsqlCopyFromArray('tally (worker, n)', ["1\t" . ($n + 3)]);
    if (!pg_query_params($other, 'INSERT INTO tally (worker, n) VALUES ($1, $2)', [1, $n + 4])) exit(1);
    for ($more = 0; $more < 5; $more++) echo '1/', $n + $more, "\n";
}
