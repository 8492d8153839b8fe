# DBD::Pg, with its own prepared statements, savepoints, COPY and a ping before each turn.
use strict;
use warnings;
use DBI;
use IO::Select;

$| = 1;
my $dbh = DBI->connect("dbi:Pg:dbname=$ENV{PGDATABASE}", $ENV{PGUSER}, $ENV{PGPASSWORD}, { RaiseError => 1, PrintError => 0, AutoCommit => 1 });
my $insert = $dbh->prepare('INSERT INTO tally (worker, n) VALUES (?, ?)');
my $input = IO::Select->new(\*STDIN);
for (my $n = 0; ; $n += 4) {
    last if $input->can_read(0) && !sysread(STDIN, my $byte, 1);
    die 'no answer to a ping' unless $dbh->ping;
    $insert->execute(1, $n);
    $dbh->begin_work;
    $insert->execute(1, $n + 1);
    $dbh->pg_savepoint('here');
    eval { $dbh->do('SELECT 1 / ?::int', undef, 0) };
    $dbh->pg_rollback_to('here');
    $dbh->do('INSERT INTO tally (worker, n) VALUES (?, ?)', undef, 1, $n + 2);
    die 'rows are missing' unless @{ $dbh->selectall_arrayref('SELECT generate_series(1, 30)') } == 30;
    $dbh->commit;
    $dbh->do('COPY tally (worker, n) FROM STDIN');
    $dbh->pg_putcopydata("1\t" . ($n + 3) . "\n");
    $dbh->pg_putcopyend;
    print "1/$_\n" for $n .. $n + 3;
}
$dbh->disconnect;
