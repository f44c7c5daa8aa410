# SPDX-License-Identifier: Apache-2.0
"""Packets that are lost, doubled or late before, during and after the switch: every byte is right."""
import threading

import pytest

from lib import ask, origins
from lib.configs import FRONT
from lib.lines import BadLine, counter
from lib.netns import BACKEND
from lib.splice import (MEBIBYTE, exchange, log_lines, spliced, together, wait_joined, wait_over)

ORIGIN = (BACKEND, 7000)
FAULTS = {
    "lost": {"lose": 40},
    "doubled": {"double": 5},
    "overtaken": {"hold": 6},
    "all": {"lose": 80, "double": 15, "hold": 12},
}
TALKERS = 8
TRIES = 10  # a fault that hits pure ACKs only leaves no trace in the counters


@pytest.fixture
def named_echo(named_origin):
    return named_origin("o", ORIGIN, origins.echo)


@pytest.fixture
def bad_line(net, tmp_path, keep):
    """bad_line(side, fault): the client's or the backend's line is bad from here on."""
    ends = {"client": (net.client, "c0"), "backend": (net.backend, "b0")}

    def make(side, fault):
        return keep(BadLine(*ends[side], tmp_path, **FAULTS[fault]).start())
    return make


def talk_in_bursts(net, number, bursts=6):
    """With pauses between them, so that the switch finds its moment in the middle."""
    with net.client.connect(FRONT, timeout=60) as sock:
        for burst in range(bursts):
            if not exchange(sock, 1 + (number * 7919 + burst * 104729) % 100000):
                return False
            threading.Event().wait((number + burst) % 7 / 50)
    return True


@pytest.mark.parametrize("side", ["client", "backend"])
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_around_the_switch_cost_no_byte(net, sluice, named_echo, bad_line, fault, side):
    sluice.start(spliced(named_echo))
    bad_line(side, fault)
    assert not together(TALKERS, lambda number: talk_in_bursts(net, number))
    wait_over(sluice)
    lines = log_lines(sluice)
    assert sum(line["rung"] == "splice-tc" for line in lines) >= TALKERS / 2
    assert all(line["bytes_out"] == line["bytes_in"] for line in lines)


@pytest.mark.parametrize("side", ["client", "backend"])
def test_faults_after_the_switch_cost_no_byte(net, sluice, named_origin, bad_line, side):
    sluice.start(spliced(named_origin("o", ORIGIN)))
    socks = [ask.opened(net.client, FRONT, timeout=60)[0] for _ in range(TALKERS)]
    wait_joined(sluice, TALKERS)
    bad_line(side, "all")
    assert not together(TALKERS, lambda number: exchange(socks[number], MEBIBYTE))
    for sock in socks:
        sock.close()
    wait_over(sluice)
    assert all(line["rung"] == "splice-tc" for line in log_lines(sluice))


def test_a_line_that_is_bad_does_what_it_says(net, bad_line, named_echo):
    """Else the tests above say nothing. Straight to the backend, which hears and tells of faults."""
    names = {"lost": "TcpRetransSegs", "doubled": "TcpExtTCPDSACKOldSent",
             "overtaken": "TcpExtTCPOFOQueue"}
    for fault, name in names.items():
        line = bad_line("client", fault)
        before = counter(net.backend, name)
        for _ in range(TRIES):
            with net.client.connect(ORIGIN) as sock:
                assert exchange(sock, 4 * MEBIBYTE)
            if counter(net.backend, name) > before:
                break
        assert counter(net.backend, name) > before, fault
        line.stop()
