# SPDX-License-Identifier: Apache-2.0
"""Lines as the kernel's own netem makes them: slow, lossy, out of order. Not every kernel has it."""
import threading

import pytest

from lib import ask, origins
from lib.configs import FRONT
from lib.netns import BACKEND
from lib.splice import exchange, log_lines, spliced, together, wait_joined, wait_over

ORIGIN = (BACKEND, 7000)
TALKERS = 6
LINES = {
    "slow": "delay 5ms",
    "jittery": "delay 4ms 3ms 25%",
    "lossy": "delay 1ms loss 3%",
    "overtaking": "delay 4ms reorder 20% 50% gap 3",
    "doubling": "delay 1ms duplicate 5%",
    "all": "delay 3ms 2ms loss 2% reorder 10% duplicate 2%",
}


@pytest.fixture
def line(net):
    """line(side, how): what the client or the backend sends goes this way from here on."""
    devices = {"client": (net.client, "c0"), "backend": (net.backend, "b0")}
    changed = []

    def make(side, how):
        namespace, device = devices[side]
        made = namespace.run("tc", "qdisc", "add", "dev", device, "root", "netem",
                             *LINES[how].split(), check=False)
        if made.returncode:
            pytest.skip("this kernel has no netem")
        changed.append((namespace, device))

    yield make
    for namespace, device in changed:
        namespace.run("tc", "qdisc", "delete", "dev", device, "root")


def talk(net, number, scale):
    """Bursts with pauses between them, so that the switch finds its moment in the middle."""
    with net.client.connect(FRONT, timeout=120) as sock:
        for burst in range(5):
            if not exchange(sock, 1 + int(scale * ((number * 7919 + burst * 104729) % 100000))):
                return False
            threading.Event().wait((number + burst) % 5 / 20)
    return True


@pytest.mark.parametrize("how", LINES)
def test_no_byte_is_lost_on_a_bad_line(net, sluice, named_origin, line, scale, how):
    sluice.start(spliced(named_origin("o", ORIGIN, origins.echo)))
    line("client", how)
    line("backend", how)
    assert not together(TALKERS, lambda number: talk(net, number, scale))
    wait_over(sluice)
    lines = log_lines(sluice)
    assert all(entry["bytes_out"] == entry["bytes_in"] for entry in lines)
    assert sum(entry["rung"] == "splice-tc" for entry in lines) >= TALKERS / 2


def test_a_line_that_turns_bad_after_the_switch_costs_no_byte(net, sluice, named_origin, line,
                                                              scale):
    sluice.start(spliced(named_origin("o", ORIGIN)))
    sock, _ = ask.opened(net.client, FRONT, timeout=120)
    wait_joined(sluice)
    line("client", "all")
    line("backend", "all")
    assert exchange(sock, int(500000 * scale))
    sock.close()
    wait_over(sluice)
