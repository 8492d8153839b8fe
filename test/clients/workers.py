"""Runs a client's work in three threads until standard input ends, and fails with what failed in any of them."""

import sys
import threading


def tell(worker, numbers):
    """Writes that were acknowledged. In one piece: the threads' lines must not mix."""
    print(''.join(f'{worker}/{n}\n' for n in numbers), end='', flush=True)


def run_workers(work):
    """`work(worker, goes_on)` goes on as long as `goes_on()` says so."""
    stop = threading.Event()
    failed = []

    def run(worker):
        try:
            work(worker, lambda: not stop.is_set())
        except Exception as error:
            print(repr(error), file=sys.stderr, flush=True)
            failed.append(worker)

    threads = [threading.Thread(target=run, args=(worker,)) for worker in (1, 2, 3)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    sys.exit(1 if failed else 0)
