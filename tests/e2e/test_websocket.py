# SPDX-License-Identifier: Apache-2.0
"""WebSocket between a client and a server that know nothing of us."""
import os
import ssl

import pytest

from lib.configs import FRONT, listener, pool
from lib.netns import BACKEND
from lib.pki import Authority
from lib.process import wait_until
from lib.websocket import Server, converse


@pytest.fixture
def server(net, keep):
    return keep(Server(net.backend, (BACKEND, 7000)))


async def talk(peer):
    assert [e.name for e in peer.extensions] == ["permessage-deflate"]
    await (await peer.ping(b"are you there"))
    for message in ("", "grüße", os.urandom(1), os.urandom(70_000), "x" * 3_000_000):
        await peer.send(message)
        assert await peer.recv() == message
    await peer.send([os.urandom(0), b"in ", b"pieces"])
    assert await peer.recv() == b"in pieces"


def test_messages_pings_and_the_end_pass_both_ways(net, sluice, server):
    sluice.start({"listeners": [listener(mode="http")], "pools": [pool(server)]})
    for _ in range(3):
        converse(net.client.connect(FRONT), talk)
    wait_until(lambda: sluice.active() == 0, 10, "they have left nothing")


def test_over_tls_too(net, sluice, server, tmp_path):
    authority = Authority(tmp_path)
    tls = {"certificates": [authority.issue("www.example").row()], "alpn": ["http/1.1"]}
    sluice.start({"listeners": [listener(mode="http", tls=tls)], "pools": [pool(server)]})
    converse(net.client.connect(FRONT), talk, server_hostname="www.example",
             ssl=ssl.create_default_context(cafile=authority.cert))
