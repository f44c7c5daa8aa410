# SPDX-License-Identifier: Apache-2.0
"""Clients that take their time: they go, and nobody else notices them."""
import contextlib
import socket
import threading
import time

import pytest

from lib.configs import FRONT, listener, pool
from lib.netns import BACKEND, PROXY
from lib.origins import Origin
from lib.process import Process, wait_until
from lib.web import Client, Web, answer

# Judged each two seconds, so a window of one is the shortest that there is.
STRICT = {"min_rate": 1000, "min_rate_window": "1s"}
CONNECTIONS = 300


@pytest.fixture
def io():
    """The engine has no part in it."""
    return "auto"


@pytest.fixture
def web(net, keep):
    return keep(Web(net.backend, (BACKEND, 7000)))


def start(sluice, web, tmp_path, **http):
    log = tmp_path / "access.log"
    sluice.start({"listeners": [listener(mode="http", http=http)], "pools": [pool(web)],
                  "access_log": {"path": str(log)}})
    return log


def trickle(sock, data=b"x", pause=0.1, seconds=30):
    """Until the proxy has had enough. Returns what it said."""
    sock.setblocking(False)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if (said := sock.recv(1000)) is not None:
                return said
        except BlockingIOError:
            pass
        sock.send(data)
        time.sleep(pause)
    raise AssertionError("it was patient")


@pytest.mark.parametrize("what, begun", [
    ("head", b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: "),
    ("body", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"),
])
def test_who_sends_too_slowly_is_told_so(net, sluice, web, tmp_path, what, begun):
    log = start(sluice, web, tmp_path, **STRICT, request_timeout="1m", body_timeout="1m")
    with Client(net) as client:
        client.send(begun)
        assert trickle(client.sock).startswith(b"HTTP/1.1 408 ")
    wait_until(lambda: "end=request_timeout (min_rate)" in log.read_text(), 10)


@pytest.mark.parametrize("engine", ["io_uring", "epoll"])
@pytest.mark.parametrize("gathered, status, end", [
    ("0", 504, "backend_timeout"), ("1MiB", 408, "request_timeout")])
def test_total_timeout_counts_from_the_head(net, sluice, web, tmp_path, engine, gathered, status,
                                            end):
    """However little each pause is, and whether the body goes on at once or not."""
    log = tmp_path / "access.log"
    sluice.io = engine
    sluice.start({"listeners": [listener(mode="http")], "access_log": {"path": str(log)},
                  "pools": [pool(web, http={"total_timeout": "700ms", "buffer_request": gathered})]})
    began = time.monotonic()
    with Client(net) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        assert trickle(client.sock).startswith(b"HTTP/1.1 %d " % status)
    assert 0.6 < time.monotonic() - began < 5
    wait_until(lambda: f"end={end} (total_timeout)" in log.read_text(), 10)


@pytest.mark.parametrize("engine", ["io_uring", "epoll"])
def test_total_timeout_goes_on_behind_a_gathered_body(net, sluice, web, engine):
    web.on("/late", lambda sock, m: time.sleep(1.2))
    sluice.io = engine
    sluice.start({"listeners": [listener(mode="http")],
                  "pools": [pool(web, http={"total_timeout": "1s", "buffer_request": "1KiB"})]})
    with Client(net) as client:
        began = time.monotonic()
        client.send(b"POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
        time.sleep(0.5)
        client.send(b"b")
        assert client.answer().status == 504
        assert 0.9 < time.monotonic() - began < 1.45
        # None is left for the next one.
        assert client.ask("/", "POST", body=b"ab").status == 200
        time.sleep(1.1)
        assert client.ask().status == 200


def test_who_reads_too_slowly_is_let_go(net, sluice, web, tmp_path):
    log = start(sluice, web, tmp_path, **STRICT, body_timeout="1m")
    with Client(net) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(b"GET /size/30000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: log.exists() and "end=client_stalled (min_rate)" in log.read_text(), 30)


# The second one lets the queue fall below its limit, and not run empty.
@pytest.mark.parametrize("limit, sip", [("128KiB", 1000), ("12MiB", 6_000_000)])
def test_a_slow_backend_is_not_its_clients_fault(net, sluice, keep, limit, sip):
    """Whoever has sent all that anybody would take is not waited for."""
    def hesitate(sock, _origin):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        time.sleep(0.5)
        taken = 0
        while taken < sip:
            taken += len(sock.recv(sip - taken))
        go.wait(60)
        while b"end" not in sock.recv(1 << 20):
            pass
        answer(sock)

    go = threading.Event()
    slow = keep(Origin(net.backend, (BACKEND, 7001), hesitate))
    sluice.start({"listeners": [listener(mode="http", http=STRICT)], "pools": [pool(slow)],
                  "limits": {"relay_buffer_size": limit}})
    size = 30_000_000
    with Client(net, timeout=60) as client:
        sender = threading.Thread(target=client.send, args=(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
            + b"x" * (size - 3) + b"end",))
        sender.start()
        # Three looks of the worker.
        time.sleep(6.5)
        go.set()
        sender.join()
        assert client.answer().status == 200


@contextlib.contextmanager
def short_queues(*namespaces):
    """Sockets that are made in here hold a few KiB."""
    limits = ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem")
    before = [[n.run("sysctl", "-n", limit).stdout.strip() for limit in limits] for n in namespaces]
    try:
        for namespace in namespaces:
            namespace.run("sysctl", "-qw", *(f"{limit}=4096 4096 4096" for limit in limits))
        yield
    finally:
        for namespace, values in zip(namespaces, before):
            namespace.run("sysctl", "-qw", *map("=".join, zip(limits, values)))


def test_the_backends_time_is_not_taken_off_its_clients(net, sluice, keep):
    """A client that was held back has all of its time once it is asked for more."""
    def hesitate(sock, _origin):
        assert go.wait(60)
        while b"end" not in sock.recv(1 << 20):
            pass
        answer(sock)

    go = threading.Event()
    with short_queues(net.proxy, net.backend):
        slow = keep(Origin(net.backend, (BACKEND, 7001), hesitate))
        sluice.start({"listeners": [listener(mode="http", http={"body_timeout": "2s"})],
                      "pools": [pool(slow)], "limits": {"relay_buffer_size": "16KiB"}})
        with Client(net) as client:
            # As much as is read at once, so that nothing of it comes later; with what the proxy adds to
            # the head it is more than may wait.
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16303\r\n\r\n" + b"x" * 16300)
            time.sleep(1.2)
            go.set()
            time.sleep(1.4)
            client.send(b"end")
            assert client.answer().status == 200


@pytest.mark.parametrize("mode, options", [
    ("head", ("-H", "-i", "1")),
    ("body", ("-B", "-i", "1", "-s", "100000")),
    ("read", ("-X", "-w", "1", "-y", "2", "-n", "1", "-z", "5", "-k", "3")),
])
def test_slowhttptest_keeps_nobody_from_being_served(net, sluice, web, tmp_path, mode, options):
    start(sluice, web, tmp_path)
    slow = Process(["slowhttptest", "-c", CONNECTIONS, "-r", CONNECTIONS, "-l", "60", *options,
                    "-u", f"http://{PROXY}:8000/size/200000"], tmp_path, f"slow-{mode}", net.client)
    try:
        wait_until(lambda: sluice.active() >= CONNECTIONS, 30, "all slow ones are connected")
        for _ in range(50):
            began = time.monotonic()
            with Client(net) as client:
                assert client.ask().status == 200
            assert time.monotonic() - began < 2
    finally:
        slow.child.kill()
        slow.child.wait()
    wait_until(lambda: sluice.active() == 0, 20, "they have left nothing")


# --- Memory ----------------------------------------------------------------------
# A sanitizer keeps what was freed, which is not what is asked here; and the kernel may fill every
# receive buffer before a pause reaches it: few, to see what else grows.
FRUGAL = {"limits": {"relay_buffer_size": "64KiB", "receive_buffer_count": 128}}
LITTLE_QUARANTINE = {"ASAN_OPTIONS": "exitcode=99:quarantine_size_mb=4"}
PEERS, EACH = 60, 50 << 20
LIMIT_KIB = PEERS * 2 * 64 + 64 * 1024


class Flood:
    """Counts what goes into sockets that nobody reads."""

    def __init__(self):
        self.sent = [0] * PEERS
        self.over = threading.Event()

    def pour(self, index, sock, piece=b"x" * (1 << 20)):
        sock.settimeout(0.2)
        while self.sent[index] < EACH and not self.over.is_set():
            try:
                self.sent[index] += sock.send(piece[self.sent[index] % len(piece):])
            except TimeoutError:
                pass
            except OSError:
                return

    def wait_stuck(self):
        """Nothing has been taken for a second, and a good deal was before."""
        seen = []

        def is_stuck():
            seen.append(sum(self.sent))
            return min(self.sent) > 0 and len(seen) > 10 and seen[-1] == seen[-11]

        wait_until(is_stuck, 60, "nothing more is taken", 0.1)


def assert_bounded(sluice, before, flood):
    flood.wait_stuck()
    assert sum(flood.sent) < PEERS * EACH
    assert sluice.process.memory_kib("Rss") - before < LIMIT_KIB


# A head that is the answer's is not yet under way: what bounds a body must bound these, too.
INTERIM = (b"HTTP/1.1 103 Early Hints\r\nLink: </" + b"x" * 4000 + b">\r\n\r\n") * 250


@pytest.mark.parametrize("what", ["answer", "interim", "request"])
def test_who_does_not_read_costs_bounded_memory(net, sluice, keep, what):
    flood, count, lock = Flood(), iter(range(PEERS)), threading.Lock()

    def serve(sock, _origin):
        sock.recv(1000)
        if what == "request":
            flood.over.wait(120)
            return
        with lock:
            index = next(count)
        if what == "interim":
            flood.pour(index, sock, INTERIM)
            return
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % EACH)
        flood.pour(index, sock)

    origin = keep(Origin(net.backend, (BACKEND, 7001), serve))
    sluice.start({"listeners": [listener(mode="http")], "pools": [pool(origin)], **FRUGAL},
                 env=LITTLE_QUARANTINE)
    before = sluice.process.memory_kib("Rss")
    clients = [net.client.connect(FRONT)
               for _ in range(PEERS)]
    threads = []
    try:
        for index, sock in enumerate(clients):
            if what != "request":
                sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                continue
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % EACH)
            threads.append(threading.Thread(target=flood.pour, args=(index, sock)))
            threads[-1].start()
        assert_bounded(sluice, before, flood)
    finally:
        flood.over.set()
        for sock in clients:
            sock.close()
        for thread in threads:
            thread.join()


# --- Requests sent ahead ---------------------------------------------------------
AHEAD, BODY = 400, 256 * 1024


def test_requests_sent_ahead_wait_for_who_does_not_read(net, sluice, web):
    """Answers of our own are nobody's stream that could be paused: the next request has to wait."""
    respond = {"match": {"path": "/"}, "respond": {"body": "x" * BODY}}
    sluice.start({"listeners": [listener(mode="http", routes=[respond])], "pools": [pool(web)],
                  **FRUGAL}, env=LITTLE_QUARANTINE)
    before = sluice.process.memory_kib("Rss")
    with Client(net) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * AHEAD)
        client.sock.shutdown(socket.SHUT_WR)
        wait_until(lambda: sluice.connections()[0]["bytes_in"] > 0, 10, "they are under way")
        seen = []

        def is_at_rest():
            seen.append(sluice.connections()[0]["bytes_out"])
            return len(seen) > 5 and seen[-1] == seen[-5]

        wait_until(is_at_rest, 20, "nothing more is taken", 0.1)
        assert sluice.process.memory_kib("Rss") - before < AHEAD * BODY / 1024 / 4
        for _ in range(AHEAD):
            assert len(client.answer().body) == BODY
        assert client.is_closed()
