"""psqlODBC: a savepoint for each statement of a transaction, and rows through DECLARE and FETCH."""

import os

import pyodbc
from workers import run_workers, tell

INSERT = 'INSERT INTO tally (worker, n) VALUES (?, ?)'
OPTIONS = 'UseDeclareFetch=1;Fetch=7;Protocol=7.4-2;UseServerSidePrepare=1'


def data_source():
    host, port, database, user, password = (
        os.environ[name] for name in ('PGHOST', 'PGPORT', 'PGDATABASE', 'PGUSER', 'PGPASSWORD')
    )
    server = f'SERVER={host};PORT={port};DATABASE={database};UID={user};PWD={{{password}}}'
    return f'DRIVER=PostgreSQL Unicode;{server};{OPTIONS}'


def work(worker, goes_on):
    n = 0
    connection = pyodbc.connect(data_source())
    while goes_on():
        cursor = connection.cursor()
        cursor.execute(INSERT, worker, n)
        try:
            cursor.execute('SELECT 1 / ?::int', 0)
        except pyodbc.Error:
            pass
        cursor.executemany(INSERT, [(worker, n + 1), (worker, n + 2)])
        connection.commit()
        cursor.execute('SELECT generate_series(1, 30)')
        assert len(cursor.fetchall()) == 30
        connection.commit()
        tell(worker, range(n, n + 3))
        n += 3
    connection.close()


run_workers(work)
