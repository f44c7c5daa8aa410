# SPDX-License-Identifier: Apache-2.0
"""What tests of the packet splice share."""
import hashlib
import json
import os
import pathlib
import subprocess
import threading

from .configs import simple
from .process import wait_until

SPLICE = {"acceleration": {"mode": "splice", "after": 0, "max_flows": 1024}}
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


# --- The maps -------------------------------------------------------------------------------------
def _bpftool(*argv):
    return json.loads(subprocess.run(["bpftool", "-j", *map(str, argv)], check=True,
                                     capture_output=True, text=True).stdout)


def _map_ids(sluice):
    """Of all maps that the daemon holds."""
    for path in pathlib.Path(f"/proc/{sluice.process.pid}/fdinfo").iterdir():
        for line in path.read_text().splitlines():
            if line.startswith("map_id:"):
                yield int(line.split()[1])


def dump_map(sluice, name):
    """The values of one of the daemon's maps, as BTF has them."""
    shown = (_bpftool("map", "show", "id", number) for number in set(_map_ids(sluice)))
    number = next(row["id"] for row in shown if row["name"] == name)
    return [row["formatted"]["value"] for row in _bpftool("map", "dump", "id", number)]


GATE_COUNT_BITS, GATE_OBSERVE, GATE_SPLICED = 48, 1, 2


def assert_maps_empty(sluice):
    """No flow is known, no pair is watched or spliced."""
    for bucket in dump_map(sluice, "buckets"):
        assert not any(bucket["place"]) and not bucket["overflowed"], bucket
    states = {pair["gate"] >> GATE_COUNT_BITS for pair in dump_map(sluice, "pairs")}
    assert not states & {GATE_OBSERVE, GATE_SPLICED}, states
