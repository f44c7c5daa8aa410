# SPDX-License-Identifier: Apache-2.0
"""Memory that runs out: a daemon whose allocations fail while a test says so."""
import contextlib
import mmap
import struct

from .paths import TOOLS

LIBRARY = TOOLS / "scarce.so"
# As tools/scarce.c has it: one_in, seed, asked, denied.
FORM = struct.Struct("=QQQQ")


class Scarcity:
    def __init__(self, directory):
        self.path = directory / "scarcity"
        self.path.write_bytes(bytes(FORM.size))
        with open(self.path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), FORM.size)

    @property
    def prefix(self):
        """Of the command. Our library stands in front of a sanitizer's, which must not mind."""
        return ("env", f"LD_PRELOAD={LIBRARY}", f"SCARCE_FILE={self.path}")

    @staticmethod
    def options():
        return {"ASAN_OPTIONS": "exitcode=99:verify_asan_link_order=0"}

    @contextlib.contextmanager
    def of(self, one_in, seed):
        """One allocation of so many fails in here."""
        struct.pack_into("=QQ", self.map, 0, one_in, seed)
        try:
            yield self
        finally:
            struct.pack_into("=Q", self.map, 0, 0)

    @property
    def denied(self):
        return FORM.unpack_from(self.map)[3]
