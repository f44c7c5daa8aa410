# SPDX-License-Identifier: Apache-2.0
"""A connection under load while a test changes the network below it."""
import threading

from .process import wait_until
from .splice import exchange


class Load:
    """Exchanges random bytes with an echo, one piece after the other, until stop()."""

    def __init__(self, sock, size=65536):
        self.pieces = 0
        self._failure = None
        self._over = threading.Event()
        self._sock, self._size = sock, size
        sock.settimeout(60)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._over.is_set():
                if not exchange(self._sock, self._size):
                    raise AssertionError("other bytes came back")
                self.pieces += 1
        except (OSError, AssertionError) as error:
            self._failure = error

    def assert_goes_on(self, pieces=5, timeout=15):
        """From now on; the first of them may have begun before."""
        want = self.pieces + pieces + 1
        wait_until(lambda: self._failure or self.pieces >= want, timeout, "the load goes on")
        assert not self._failure, self._failure

    def assert_stands(self, seconds=0.6):
        """Nothing flows, and nobody ends it."""
        self._over.wait(0.2)
        before = self.pieces
        self._over.wait(seconds)
        assert self.pieces == before and not self._failure

    def stop(self):
        self._over.set()
        self._thread.join(60)
        assert not self._failure, self._failure
