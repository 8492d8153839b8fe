"""asyncpg: a pool of sessions with prepared statements, savepoints, cursors, COPY and arrays in binary form."""

import asyncio
import sys

import asyncpg
from workers import tell

stop = asyncio.Event()


async def work(pool, worker):
    n = 0
    while not stop.is_set():
        async with pool.acquire() as connection:
            await connection.execute('INSERT INTO tally (worker, n) VALUES ($1, $2)', worker, n)
            async with connection.transaction():
                await connection.executemany(
                    'INSERT INTO tally (worker, n) VALUES ($1, $2)', [(worker, n + 1), (worker, n + 2)]
                )
                try:
                    async with connection.transaction():
                        await connection.execute('INSERT INTO tally (worker, n) VALUES ($1, $2)', worker, -1)
                        await connection.fetchval('SELECT 1 / $1::int', 0)
                except asyncpg.DivisionByZeroError:
                    pass
                rows = [row[0] async for row in connection.cursor('SELECT generate_series(1, 30)', prefetch=7)]
                assert rows == list(range(1, 31)), rows
            await connection.copy_records_to_table('tally', columns=['worker', 'n'], records=[(worker, n + 3)])
            values = await connection.fetchval('SELECT array_agg(i) FROM generate_series(1, $1) i', 5)
            assert values == [1, 2, 3, 4, 5], values
            moods = await connection.fetchval('SELECT $1::mood[]', ['bad', 'fine'])
            assert moods == ['bad', 'fine'], moods
        tell(worker, range(n, n + 4))
        n += 4


async def main():
    async with asyncpg.create_pool(min_size=2, max_size=2) as pool:
        workers = asyncio.gather(*(work(pool, worker) for worker in (1, 2, 3)))
        reading = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await asyncio.wait([workers, reading], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await workers


asyncio.run(main())
