# SPDX-License-Identifier: Apache-2.0
"""What tests of the packet splice share."""
import hashlib
import json
import os
import threading

from .configs import simple
from .process import wait_until

SPLICE = {"acceleration": {"mode": "splice", "max_flows": 1024}}
MEBIBYTE = 1 << 20


def spliced(origin, acceleration=None, **options):
    """A configuration: one listener, one pool, splice, and lines of the access log on stdout."""
    top = {"acceleration": {**SPLICE["acceleration"], **(acceleration or {})},
           "access_log": {"path": "stdout", "format": "json"}}
    return simple(origin, top=top, **options)


def rungs(sluice):
    return [(row["rung"], row["reason"]) for row in sluice.connections()]


def wait_joined(sluice, count=1, timeout=10):
    wait_until(lambda: [r for r, _ in rungs(sluice)].count("splice-tc") == count, timeout,
               f"{count} spliced connections, not {rungs(sluice)}")


def wait_over(sluice, timeout=10):
    wait_until(lambda: sluice.active() == 0, timeout, "all connections have ended")


def log_lines(sluice):
    return [json.loads(line) for line in sluice.process.stdout().splitlines() if '"end"' in line]


def log_line(sluice):
    wait_until(lambda: log_lines(sluice), 5, "a line in the access log")
    return log_lines(sluice)[-1]


def exchange(sock, size, timeout=60):
    """Sends random bytes to an echo while it reads them back; whether they came back right."""
    sent, got = os.urandom(size), []

    def read():
        left = size
        while left:
            chunk = sock.recv(min(left, 1 << 18))
            if not chunk:
                return
            got.append(chunk)
            left -= len(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    sock.sendall(sent)
    reader.join(timeout)
    return hashlib.sha256(b"".join(got)).digest() == hashlib.sha256(sent).digest()


def together(count, talk, timeout=90):
    """talk(number) in so many threads at once; what they failed with."""
    failures = []

    def run(number):
        try:
            if talk(number) is False:
                failures.append((number, "wrong bytes"))
        except (OSError, AssertionError) as error:
            failures.append((number, repr(error)))

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
    return failures + [(n, "hangs") for n, thread in enumerate(threads) if thread.is_alive()]
