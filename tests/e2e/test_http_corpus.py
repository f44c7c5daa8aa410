# SPDX-License-Identifier: Apache-2.0
"""The corpus of requests through the running proxy: what the backend sees is what the RFCs say."""
import re
import socket

import pytest

from lib.configs import listener, pool
from lib.corpus import cases
from lib.netns import BACKEND
from lib.web import Client, Web, answer


@pytest.fixture
def front(net, sluice, keep):
    web = keep(Web(net.backend, (BACKEND, 7000)))
    web._default = lambda sock, message: answer(sock) or True
    # TRACE goes on where it is named.
    trace = {"match": {"method": ["TRACE"]}, "pool": "main"}
    sluice.start({"listeners": [listener(mode="http", routes=[trace])], "pools": [pool(web)]})
    return web


def statuses(data):
    """Final statuses of a stream of answers, none of which has a body but the last."""
    return [int(s) for s in re.findall(rb"^HTTP/1\.1 (\d\d\d) ", data, re.M) if s[:1] != b"1"]


def converse(net, data):
    """Everything that the proxy says to @data and FIN."""
    with Client(net, timeout=10) as client:
        try:
            client.send(data)
            client.sock.shutdown(socket.SHUT_WR)
            return client.reader.to_end()
        except (ConnectionResetError, BrokenPipeError):
            return client.reader.rest


def seen_by(web):
    return [{"method": m.first.split()[0].encode(), "target": m.first.split()[1].encode("latin-1"),
             "host": (m.get("host") or "").encode("latin-1"), "body": m.body} for m in web.seen]


def in_origin_form(target):
    """What a server is asked: without scheme and host (RFC 9112 3.2.1)."""
    absolute = re.match(rb"https?://[^/?]*(.*)", target, re.I)
    if not absolute:
        return target
    rest = absolute.group(1)
    return rest if rest.startswith(b"/") else b"/" + rest


def judge(case, said, seen):
    """What is wrong, or None."""
    expected = case.requests()
    for want in expected:
        want["target"] = in_origin_form(want["target"])
    for have, want in zip(seen, expected):
        for key in set(want) & {"method", "target", "body"}:
            if have[key] != want[key]:
                return f"the backend saw {key} {have[key]!r}, not {want[key]!r}"
    if len(seen) > len(expected):
        return f"the backend saw a request too many: {seen[len(expected)]}"
    if case.refusal and case.refusal not in statuses(said):
        return f"answered {statuses(said)}, not {case.refusal}"
    if not case.refusal and "more" not in case.expected[-1] and len(seen) < len(expected):
        if statuses(said)[-1:] != [400] or not re.search(rb"/\.\.|%|\\", case.bytes):
            return f"the backend saw {len(seen)} of {len(expected)} requests: {statuses(said)}"
    return None


def test_corpus(net, front):
    wrong = []
    for case in cases():
        if any(request.get("method") == b"CONNECT" for request in case.requests()):
            continue
        front.seen.clear()
        said = converse(net, case.bytes)
        problem = judge(case, said, seen_by(front))
        if problem:
            wrong.append(f"{case.name}: {problem}")
    assert not wrong, "\n".join(wrong)
