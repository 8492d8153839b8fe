"""psycopg2: transactions, batches and cursors of the server."""

import psycopg2
from psycopg2.extras import execute_values
from workers import run_workers, tell


def work(worker, goes_on):
    n = 0
    connection = psycopg2.connect('')
    while goes_on():
        with connection, connection.cursor() as cursor:
            execute_values(cursor, 'INSERT INTO tally (worker, n) VALUES %s', [(worker, n), (worker, n + 1)])
            cursor.execute('SELECT count(*) FROM tally WHERE worker = %s', (worker,))
            cursor.fetchone()
        with connection, connection.cursor('named') as cursor:
            cursor.itersize = 10
            cursor.execute('SELECT generate_series(1, 50)')
            assert len(cursor.fetchall()) == 50
        tell(worker, range(n, n + 2))
        n += 2
    connection.close()


run_workers(work)
