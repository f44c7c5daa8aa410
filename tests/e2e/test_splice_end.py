# SPDX-License-Identifier: Apache-2.0
"""How a spliced connection ends: by either side, by both, by nobody; and who has its tuple next."""
import socket
import struct
import threading
import time

import pytest

from lib import ask, repair
from lib.configs import FRONT, PORT
from lib.lines import BadLine
from lib.netns import BACKEND, BACKEND6, PROXY6
from lib.process import wait_until
from lib.splice import (MEBIBYTE, exchange, log_line, log_lines, rungs, spliced, wait_joined,
                        wait_over)

ENGINE = "epoll"  # packets do not see the other

ORIGIN = (BACKEND, 7000)
BOTH_VERSIONS = {"bind": [f"0.0.0.0:{PORT}", f"[::]:{PORT}"]}
SOON = 0.7  # less than the second after which a lost SYN is sent again


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def tell_end(sock, origin):
    """An echo that records how the connection ended."""
    try:
        while chunk := sock.recv(65536):
            sock.sendall(chunk)
        origin.records.append("fin")
    except ConnectionResetError:
        origin.records.append("reset")


@pytest.fixture
def told(net, sluice, named_origin):
    """told(version): (socket, origin) of a joined connection; the origin records its end."""
    def make(version="IPv4", **options):
        host, front = {"IPv4": (BACKEND, FRONT[0]), "IPv6": (BACKEND6, PROXY6)}[version]
        origin = named_origin("o", (host, 7000), tell_end)
        listener_options = {**BOTH_VERSIONS, **options.pop("listener_options", {})}
        sluice.start(spliced(origin, listener_options=listener_options, **options))
        sock = net.client.connect((front, PORT))
        assert ask.echoes(sock)
        wait_joined(sluice)
        return sock, origin
    return make


def wait_told(origin, how):
    wait_until(lambda: origin.records, 5, "the origin hears of the end")
    assert origin.records == [how]


# --- FIN ------------------------------------------------------------------------------------------
def test_a_fin_of_the_client_ends_both_sides(told, sluice):
    sock, origin = told()
    sock.shutdown(socket.SHUT_WR)
    assert ask.ended(sock)[0] == "fin"
    wait_told(origin, "fin")
    wait_over(sluice)
    line = log_line(sluice)
    assert line["end"] == "done" and line["local"] == f"{FRONT[0]}:{FRONT[1]}"


def test_a_fin_of_the_backend_leaves_the_other_way_open(net, sluice, named_origin):
    def half_close(sock, origin):
        sock.sendall(b"o\n")
        assert sock.recv(2) == b"go"
        sock.shutdown(socket.SHUT_WR)
        origin.records.append(b"".join(iter(lambda: sock.recv(65536), b"")))

    origin = named_origin("o", ORIGIN, half_close)
    sluice.start(spliced(origin))
    sock, _ = ask.opened(net.client, FRONT)
    wait_joined(sluice)
    sock.sendall(b"go")
    assert sock.recv(1) == b""
    half = b"x" * (MEBIBYTE // 2)
    sock.sendall(half)
    time.sleep(2.5)  # longer than anything lingers
    assert sluice.active() == 1
    sock.sendall(half)
    sock.close()
    wait_until(lambda: origin.records == [half + half], 10, "all of it is at the origin")
    wait_over(sluice)
    line = log_line(sluice)
    assert (line["rung"], line["end"]) == ("splice-tc", "done")
    assert (line["bytes_in"], line["bytes_out"]) == (2 + MEBIBYTE, 2)


def test_a_fin_of_the_client_leaves_the_other_way_open(net, sluice, named_origin):
    def answer_late(sock, origin):
        sock.sendall(b"o\n")
        while sock.recv(65536):
            pass
        for _ in range(5):
            sock.sendall(b"y" * MEBIBYTE)
            time.sleep(0.5)

    sluice.start(spliced(named_origin("o", ORIGIN, answer_late)))
    sock, _ = ask.opened(net.client, FRONT)
    wait_joined(sluice)
    sock.shutdown(socket.SHUT_WR)
    how, got, _ = ask.ended(sock)
    assert (how, got) == ("fin", b"y" * 5 * MEBIBYTE)
    wait_over(sluice)
    assert log_line(sluice)["bytes_out"] == 2 + 5 * MEBIBYTE


def test_fins_that_meet_on_their_way_end_both_sides(net, sluice, named_origin, tmp_path, keep):
    """Then both ends are in TIME_WAIT; after any other close it is only the first."""
    now = threading.Barrier(2)

    def close_at_once(sock, _origin):
        sock.sendall(b"o\n")
        now.wait(10)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""

    sluice.start(spliced(named_origin("o", ORIGIN, close_at_once)))
    sock, _ = ask.opened(net.client, FRONT)
    wait_joined(sluice)
    for namespace, device in ((net.client, "c0"), (net.backend, "b0")):
        keep(BadLine(namespace, device, tmp_path, hold=1, delay_ms=(100, 110)).start())
    port = sock.getsockname()[1]
    now.wait(10)
    sock.shutdown(socket.SHUT_WR)
    assert ask.ended(sock)[0] == "fin"
    for namespace, side in ((net.client, f"sport = :{port}"), (net.backend, "sport = :7000")):
        wait_until(lambda: namespace.run("ss", "-Htan", "state", "time-wait", side).stdout, 5,
                   f"TIME_WAIT where {side}")
    wait_over(sluice)
    assert log_line(sluice)["end"] == "done"


# --- RST ------------------------------------------------------------------------------------------
def test_a_reset_of_the_client_reaches_the_backend(told, sluice):
    sock, origin = told()
    reset(sock)
    wait_told(origin, "reset")
    wait_over(sluice)
    assert log_line(sluice)["end"] == "client_reset"


def test_a_reset_of_the_backend_reaches_the_client(net, sluice, named_origin):
    def reset_when_asked(sock, _origin):
        sock.sendall(b"o\n")
        sock.recv(2)
        reset(sock)

    sluice.start(spliced(named_origin("o", ORIGIN, reset_when_asked)))
    sock, _ = ask.opened(net.client, FRONT)
    wait_joined(sluice)
    sock.sendall(b"go")
    assert ask.ended(sock)[0] == "reset"
    wait_over(sluice)
    assert log_line(sluice)["end"] == "backend_reset"


@pytest.mark.parametrize("version", ["IPv4", "IPv6"])
def test_both_ends_believe_the_reset_of_an_idle_connection(told, sluice, version):
    sock, origin = told(version, listener_options={"idle_timeout": "1s"})
    assert exchange(sock, MEBIBYTE)
    assert ask.ended(sock)[0] == "reset"
    wait_told(origin, "reset")
    assert log_line(sluice)["end"] == "idle_timeout"


@pytest.mark.parametrize("version", ["IPv4", "IPv6"])
def test_both_ends_believe_the_reset_of_a_drain(told, sluice, version):
    sock, origin = told(version, acceleration={"on_stop": "reset"})
    assert exchange(sock, MEBIBYTE)
    sluice.stop()
    assert ask.ended(sock)[0] == "reset"
    wait_told(origin, "reset")


# --- Silence --------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", ["IPv4", "IPv6"])
def test_ends_that_are_there_answer_and_stay(told, sluice, version):
    sock, origin = told(version, listener_options={"keepalive": "1s", "idle_timeout": "0s"})
    time.sleep(4)  # longer than one that does not answer is waited for
    assert exchange(sock, MEBIBYTE) and not origin.records
    row = sluice.connections()[0]
    assert row["rung"] == "splice-tc" and row["bytes_in"] == 12 + MEBIBYTE
    sock.close()


def test_answers_to_probes_do_not_keep_a_connection_from_being_idle(told, sluice):
    sock, origin = told(listener_options={"keepalive": "1s", "idle_timeout": "3s"})
    assert ask.ended(sock)[0] == "reset"
    wait_told(origin, "reset")
    assert log_line(sluice)["end"] == "idle_timeout"


@pytest.mark.parametrize("side", ["client", "backend"])
def test_a_host_that_is_gone_is_noticed(net, told, sluice, tmp_path, keep, side):
    sock, origin = told(listener_options={"keepalive": "1s", "idle_timeout": "0s"})
    end = {"client": (net.client, "c0"), "backend": (net.backend, "b0")}[side]
    keep(BadLine(*end, tmp_path, lose=1).start())
    wait_over(sluice)
    assert log_line(sluice)["end"] == f"{side}_reset"
    if side == "client":
        wait_told(origin, "reset")
    else:
        assert ask.ended(sock)[0] == "reset"
    sock.close()


# --- The same tuple again -------------------------------------------------------------------------
def from_port(net, port, address=FRONT):
    sock = net.client.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(10)
    sock.bind(("0.0.0.0", port))
    began = time.monotonic()
    sock.connect(address)
    return sock, time.monotonic() - began


def close_behind_the_backend(sock):
    """No TIME_WAIT on this side, so that the port is free at once."""
    sock.sendall(b"bye")
    assert sock.recv(1) == b""
    sock.close()


def close_when_told(sock, origin):
    sock.sendall(b"o\n")
    while (chunk := sock.recv(65536)) not in (b"", b"bye"):
        sock.sendall(chunk)


@pytest.mark.parametrize("end", [reset, close_behind_the_backend])
def test_a_client_may_take_its_port_again_at_once(net, sluice, named_origin, end):
    sluice.start(spliced(named_origin("o", ORIGIN, close_when_told)))
    for _ in range(4):
        sock, seconds = from_port(net, 9999)
        assert seconds < SOON
        assert sock.recv(2) == b"o\n"
        wait_until(lambda: rungs(sluice) == [("splice-tc", "-")], 5, "it alone, and spliced")
        assert exchange(sock, MEBIBYTE)
        end(sock)
    wait_over(sluice)
    assert {line["rung"] for line in log_lines(sluice)} == {"splice-tc"}


def test_a_client_that_begins_anew_is_let_in(net, sluice, named_origin):
    """Its host was off: it knows nothing of the old connection, and the backend knows no better."""
    origin = named_origin("o", ORIGIN, tell_end)
    sluice.start(spliced(origin))
    sock, _ = from_port(net, 9998)
    assert ask.echoes(sock)
    wait_joined(sluice)
    repair.vanish(sock)
    sock, _ = from_port(net, 9998)
    wait_told(origin, "reset")
    assert ask.echoes(sock)
    wait_joined(sluice)
    assert exchange(sock, MEBIBYTE)
    sock.close()


# --- Numbers --------------------------------------------------------------------------------------
def test_the_clients_numbers_wrap_in_the_middle(net, sluice, named_origin):
    sluice.start(spliced(named_origin("o", ORIGIN)))
    sock = net.client.socket()
    sock.settimeout(30)
    repair.choose_first(sock, (1 << 32) - 8 * MEBIBYTE)
    sock.connect(FRONT)
    assert sock.recv(2) == b"o\n"
    wait_joined(sluice)
    before = repair.next_number(sock)
    assert exchange(sock, 16 * MEBIBYTE)
    assert repair.next_number(sock) < before
    sock.close()
    wait_over(sluice)
    assert log_line(sluice)["bytes_in"] == 16 * MEBIBYTE


def test_the_backends_numbers_wrap_in_the_middle(net, sluice, named_origin):
    """They begin anywhere: of many connections, the one nearest to the end of the numbers."""
    ends = {}

    def note(sock, origin):
        ends[sock.recv(8)] = sock
        sock.sendall(b"o\n")
        while chunk := sock.recv(1 << 18):
            sock.sendall(chunk)

    sluice.start(spliced(named_origin("o", ORIGIN, note)))
    socks = {}
    for number in range(96):
        sock = net.client.connect(FRONT, timeout=60)
        name = b"%8d" % number
        sock.sendall(name)
        assert sock.recv(2) == b"o\n"
        socks[name] = sock
    wait_joined(sluice, 96, 30)
    first = {name: repair.next_number(end) for name, end in ends.items()}
    best = max(first, key=first.get)
    distance = (1 << 32) - first[best]
    assert exchange(socks[best], distance + MEBIBYTE)
    assert repair.next_number(ends[best]) < first[best]
    for sock in socks.values():
        sock.close()
    wait_over(sluice)
    assert max(line["bytes_out"] for line in log_lines(sluice)) == distance + MEBIBYTE + 2
