"""psycopg 3: it prepares what comes often, sends without waiting (pipeline mode), COPYs, and reads through cursors of the server."""

import psycopg
from workers import run_workers, tell

INSERT = 'INSERT INTO tally (worker, n) VALUES (%s, %s)'


def work(worker, goes_on):
    n = 0
    with psycopg.connect('', autocommit=True) as connection:
        while goes_on():
            connection.execute(INSERT, (worker, n))
            with connection.pipeline(), connection.transaction():
                first = connection.execute(INSERT, (worker, n + 1))
                second = connection.execute('SELECT %s::int', (n,))
                connection.execute(INSERT, (worker, n + 2), prepare=True)
                assert (second.fetchone(), first.rowcount) == ((n,), 1)
            with connection.transaction(), connection.cursor(name='rows') as cursor:
                cursor.itersize = 7
                cursor.execute('SELECT generate_series(1, 30)', binary=True)
                assert len(list(cursor)) == 30
            with connection.cursor() as cursor, cursor.copy('COPY tally (worker, n) FROM STDIN') as copy:
                copy.write_row((worker, n + 3))
            tell(worker, range(n, n + 4))
            n += 4


run_workers(work)
