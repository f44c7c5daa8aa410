# SPDX-License-Identifier: Apache-2.0
"""The daemon's death: spliced connections go on without it, and the next one finds them."""
import hashlib
import json
import os
import signal
import socket
import threading

import pytest

from lib import ask
from lib.configs import FRONT, simple
from lib.netns import BACKEND
from lib.process import wait_until

ORIGIN = (BACKEND, 7000)
SPLICE = {"mode": "splice", "max_flows": 1024}
KIBIBYTE = 1 << 10
MEBIBYTE = 1 << 20


def spliced(origin, acceleration=(), **options):
    top = {"acceleration": {**SPLICE, **dict(acceleration)},
           "access_log": {"path": "stdout", "format": "json"}}
    return simple(origin, top=top, **options)


def rungs(sluice):
    return [(row["rung"], row["reason"]) for row in sluice.connections()]


def wait_joined(sluice, count=1):
    wait_until(lambda: rungs(sluice).count(("splice-tc", "-")) == count, 20,
               f"{count} spliced connections, not {rungs(sluice)}")


def adopted(sluice):
    return [row for row in sluice.connections() if row["reason"] == "adopted"]


def log_lines(sluice):
    return [json.loads(line) for line in sluice.process.stdout().splitlines()]


class Talk:
    """One connection to an echo: sends random bytes until it is told to stop, and reads them back."""

    def __init__(self, net, pause):
        self.sock, _ = ask.opened(net.client, FRONT, timeout=30)
        self.pause, self.error = pause, None
        self.sent, self.got = hashlib.sha256(), hashlib.sha256()
        self.bytes = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def start(self):
        self.thread.start()

    def _run(self):
        try:
            while not self.stop.wait(self.pause):
                chunk = os.urandom(1 + int.from_bytes(os.urandom(2)) // 4)
                self.sock.sendall(chunk)
                self.sent.update(chunk)
                self.bytes += len(chunk)
                left = len(chunk)
                while left:
                    part = self.sock.recv(left)
                    if not part:
                        raise EOFError(f"after {self.bytes} bytes")
                    self.got.update(part)
                    left -= len(part)
        except (OSError, EOFError) as error:
            self.error = error

    def finish(self):
        """Says FIN, and hears one."""
        self.stop.set()
        self.thread.join(60)
        assert self.error is None, self.error
        assert self.got.digest() == self.sent.digest()
        self.sock.shutdown(socket.SHUT_WR)
        assert ask.ended(self.sock)[0] == "fin"
        self.sock.close()


@pytest.fixture
def talks(net):
    """Starts so many connections; those that still go on when the test is over are cut."""
    running = []

    def start(count):
        started = [Talk(net, 0.02) for _ in range(count)]
        for talk in started:
            talk.start()
        running.extend(started)
        return started
    yield start
    for talk in running:
        talk.stop.set()
        talk.thread.join(60)
        talk.sock.close()


def kill(sluice):
    sluice.process.signal(signal.SIGKILL)
    sluice.process.wait()
    sluice.process = None


def pause(seconds):
    threading.Event().wait(seconds)


def finish_all(talks, count_before):
    for talk, before in zip(talks, count_before):
        wait_until(lambda: talk.bytes > before + 10 * KIBIBYTE or talk.error, 30, "bytes flow")
    for talk in talks:
        talk.finish()


def test_transfers_go_on_when_the_daemon_is_killed(net, sluice, named_origin, talks):
    sluice.start(spliced(named_origin("o", ORIGIN)))
    hundred = talks(100)
    wait_joined(sluice, 100)
    kill(sluice)
    finish_all(hundred, [talk.bytes for talk in hundred])


def test_the_next_daemon_takes_transfers_over_and_ends_them(net, make_daemon, named_origin, talks):
    config = spliced(named_origin("o", ORIGIN))
    first = make_daemon("first").start(config)
    hundred = talks(100)
    wait_joined(first, 100)
    kill(first)
    pause(0.3)
    second = make_daemon("second").start(config)
    assert len(adopted(second)) == 100
    finish_all(hundred, [talk.bytes for talk in hundred])
    wait_until(lambda: second.active() == 0, 10, "all have ended")
    lines = log_lines(second)
    assert len(lines) == 100
    assert all((line["end"], line["rung"], line["reason"], line["listener"], line["pool"])
               == ("done", "splice-tc", "adopted", "front", "main") for line in lines)
    assert sorted(line["bytes_in"] for line in lines) == sorted(talk.bytes for talk in hundred)
    assert all(line["bytes_out"] == line["bytes_in"] + 2 for line in lines)
    second.stop()
    assert second.pins() == []
