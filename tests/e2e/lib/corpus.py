# SPDX-License-Identifier: Apache-2.0
"""tests/corpus/http1-requests.txt: its head says how it is written."""
import re

from .paths import ROOT

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|\{\d+:(?:\\x[0-9a-fA-F]{2}|\\.|[^}])\}|.)")
_PLAIN = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}


def _unescape_one(text):
    if text in _PLAIN:
        return _PLAIN[text]
    if text.startswith("x"):
        return bytes([int(text[1:], 16)])
    count, unit = text[1:-1].split(":", 1)
    return int(count) * unescape(unit)


def unescape(text):
    parts, end = [], 0
    for found in _ESCAPE.finditer(text):
        parts += [text[end:found.start()].encode("latin-1"), _unescape_one(found.group(1))]
        end = found.end()
    return b"".join(parts + [text[end:].encode("latin-1")])


class Case:
    def __init__(self, name):
        self.name, self.bytes, self.expected = name, b"", []

    @property
    def refusal(self):
        """The status that the last request is refused with; None if none is."""
        found = re.search(r"\bstatus=(\d+)", self.expected[-1]) if self.expected else None
        return int(found.group(1)) if found else None

    def requests(self):
        """What the backend must see, in order: dictionaries of method, target, host, body."""
        whole = [row for row in self.expected if "status=" not in row and row != "more"]
        return [{key: unescape(value) for key, value in
                 (word.split("=", 1) for word in row.split() if "=" in word)} for row in whole]


def cases():
    every = []
    for line in (ROOT / "tests/corpus/http1-requests.txt").read_text("latin-1").splitlines():
        if line.startswith("["):
            every.append(Case(line[1:-1]))
        elif line.startswith("> "):
            every[-1].bytes += unescape(line[2:])
        elif line.startswith("< "):
            every[-1].expected.append(line[2:])
    return every
