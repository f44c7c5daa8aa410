# SPDX-License-Identifier: Apache-2.0
"""The daemon's death: spliced connections go on without it, and the next one finds them."""
import asyncio
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import pytest

from lib import ask, splice
from lib.configs import FRONT, PORT, simple
from lib.daemon import Sluiced
from lib.netns import BACKEND, BACKEND6, CLIENT, PROXY6, PROXY_BACK
from lib.process import wait_until
from lib.websocket import Server, converse

ENGINE = "io_uring"  # packets do not see the other

ORIGIN = (BACKEND, 7000)
SPLICE = {"mode": "splice", "after": 0, "max_flows": 1024}
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
    wait_until(lambda: {row["state"] for row in sluice.flow_rows()} == {"over"}, 5)


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
    assert second.flow_rows() == []
    second.stop()
    assert second.pins() == []


def test_a_stop_leaves_spliced_connections_to_the_next_start(net, make_daemon, named_origin, talks):
    config = spliced(named_origin("o", ORIGIN))
    first = make_daemon("first").start(config)
    ten = talks(10)
    wait_joined(first, 10)
    first.process.signal(signal.SIGTERM)
    first.wait_clean(5)
    assert "10 spliced connections go on in the kernel" in first.process.stderr()
    assert first.process.stdout() == ""
    second = make_daemon("second").start(config)
    third = make_daemon("third")
    assert len(adopted(second)) == 10
    second.process.signal(signal.SIGTERM)
    second.wait_clean(5)
    third.start(config)
    finish_all(ten, [talk.bytes for talk in ten])
    wait_until(lambda: third.active() == 0, 10)
    assert sorted(line["bytes_in"] for line in log_lines(third)) == sorted(t.bytes for t in ten)


def test_a_stop_leaves_a_websocket_to_the_next_start(net, make_daemon, keep):
    """What HTTP has left behind is a connection like others."""
    config = spliced(keep(Server(net.backend, ORIGIN)), listener_options={"mode": "http"})
    first, second = make_daemon("first").start(config), make_daemon("second")

    def restart():
        wait_joined(first)
        first.process.signal(signal.SIGTERM)
        first.wait_clean(5)
        second.start(config)

    async def talk(peer):
        await peer.send("before")
        assert await peer.recv() == "before"
        await asyncio.to_thread(restart)
        await peer.send("after")
        assert await peer.recv() == "after"

    converse(net.client.connect(FRONT), talk)
    wait_until(lambda: second.active() == 0, 10, "it has ended")
    assert [(line["status"], line["end"]) for line in log_lines(first)] == [(101, "upgraded")]
    assert [(line["end"], line["listener"], line["pool"]) for line in log_lines(second)] == [
        ("done", "front", "main")]


def test_a_stop_ends_adopted_connections_where_the_configuration_says_so(net, killed):
    sock, sluice, config = killed
    config["acceleration"]["on_stop"] = "reset"
    config["drain_timeout"] = "0s"
    sluice.start(config)
    sluice.process.signal(signal.SIGTERM)
    assert ask.ended(sock)[0] == "reset"
    sluice.wait_clean(5)
    assert [line["end"] for line in log_lines(sluice)] == ["shutdown"]
    assert sluice.pins() == []


@pytest.fixture
def few_ports(net):
    """The proxy has so many ports to connect from: few_ports(count, first)."""
    name = "net.ipv4.ip_local_port_range"
    before = net.proxy.run("sysctl", "-n", name).stdout.strip()

    def apply(count, first=30000):
        net.proxy.run("sysctl", "-q", "-w", f"{name}={first} {first + count - 1}")
    yield apply
    net.proxy.run("sysctl", "-q", "-w", f"{name}={before}")


@pytest.fixture
def killed(net, make_daemon, named_origin):
    """(socket, daemon to start, configuration): a connection whose daemon is dead."""
    config = spliced(named_origin("o", ORIGIN))
    first = make_daemon("first").start(config)
    sock, _ = ask.opened(net.client, FRONT)
    wait_joined(first)
    kill(first)
    yield sock, make_daemon("second"), config
    sock.close()


def test_an_adopted_connection_that_is_idle_is_reset(killed):
    sock, sluice, config = killed
    config["listeners"][0]["idle_timeout"] = "1s"
    sluice.start(config)
    assert ask.ended(sock)[0] == "reset"
    wait_until(lambda: sluice.active() == 0, 5)
    assert [line["end"] for line in log_lines(sluice)] == ["idle_timeout"]


def test_what_ended_without_a_daemon_is_logged_by_the_next(killed):
    sock, sluice, config = killed
    sock.shutdown(socket.SHUT_WR)
    assert ask.ended(sock)[0] == "fin"
    sluice.start(config)
    wait_until(lambda: sluice.active() == 0, 5)
    assert [(line["end"], line["bytes_out"]) for line in log_lines(sluice)] == [("done", 2)]
    assert sluice.flow_rows() == []


def test_an_adopted_connection_follows_its_way(net, killed):
    sock, sluice, config = killed
    sluice.start(config)
    net.proxy.run("sysctl", "-q", "-w", "net.ipv6.conf.p1.keep_addr_on_down=1")
    net.proxy.run("ip", "link", "set", "p1", "down")
    sock.sendall(b"while it is down")
    pause(0.3)
    net.proxy.run("ip", "link", "set", "p1", "up")
    sock.settimeout(20)
    assert sock.recv(100) == b"while it is down"


def test_a_reset_of_an_adopted_connection_is_told_of_at_once(killed):
    sock, sluice, config = killed
    sluice.start(config)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    wait_until(lambda: sluice.active() == 0, 3)
    assert [line["end"] for line in log_lines(sluice)] == ["client_reset"]


def open_until_refused(net, front):
    socks = []
    try:
        while len(socks) < 100:
            socks.append(ask.opened(net.client, front)[0])
    except OSError:
        pass
    return socks


WAYS = {"IPv4": {}, "IPv6": {}, "with a source address": {"source_address": PROXY_BACK}}


@pytest.mark.parametrize("way", WAYS)
def test_new_connections_get_other_ports(net, make_daemon, named_origin, few_ports, way):
    address = (BACKEND6, 7000) if way == "IPv6" else ORIGIN
    front = (PROXY6, PORT) if way == "IPv6" else FRONT
    bind = ["[::]:8000"] if way == "IPv6" else ["0.0.0.0:8000"]
    config = spliced(named_origin("o", address), listener_options={"bind": bind},
                     connect_retries=0, **WAYS[way])
    few_ports(60)
    first = make_daemon("first").start(config)
    old = [ask.opened(net.client, front)[0] for _ in range(20)]
    wait_joined(first, 20)
    kill(first)
    second = make_daemon("second").start(config)
    new = open_until_refused(net, front)
    assert 20 <= len(new) <= 40
    wait_joined(second, len(new))
    assert len({row["via"] for row in second.flow_rows()}) == 20 + len(new)
    assert all(ask.echoes(sock) for sock in old + new)
    for sock in old:
        sock.shutdown(socket.SHUT_WR)
        assert ask.ended(sock)[0] == "fin"
    wait_until(lambda: second.active() == len(new), 5)
    assert ask.name(net.client, front) == "o"
    for sock in new:
        sock.close()


def test_other_backends_may_share_the_ports(net, make_daemon, named_origin, few_ports):
    few_ports(10, 40000)
    first = make_daemon("first").start(spliced(named_origin("o", ORIGIN), connect_retries=0))
    old = open_until_refused(net, FRONT)
    wait_joined(first, len(old))
    kill(first)
    other = named_origin("other", (BACKEND, 7001))
    second = make_daemon("second").start(spliced(other, connect_retries=0))
    new = open_until_refused(net, FRONT)
    assert len(new) == 10
    wait_joined(second, 10)
    assert all(ask.echoes(sock) for sock in old + new)
    for sock in old + new:
        sock.close()


def test_transparent_connections_are_adopted(net, make_daemon, named_origin, replies_come_back):
    config = spliced(named_origin("o", ORIGIN), transparent=True)
    first = make_daemon("first").start(config)
    sock, _ = ask.opened(net.client, FRONT)
    wait_joined(first)
    kill(first)
    second = make_daemon("second").start(config)
    assert [row["via"].split(":")[0] for row in second.flow_rows()] == [CLIENT]
    assert "cannot be held" not in second.process.stderr()
    assert ask.echoes(sock, b"x" * 100000)
    other, _ = ask.opened(net.client, FRONT)
    wait_joined(second)
    assert ask.echoes(other) and ask.echoes(sock)
    sock.close()
    other.close()


def test_a_client_may_take_the_port_of_an_adopted_connection_again(net, make_daemon, named_origin):
    config = spliced(named_origin("o", ORIGIN))

    def connect():
        sock = net.client.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(10)
        sock.bind(("0.0.0.0", 9999))
        sock.connect(FRONT)
        assert sock.recv(2) == b"o\n"
        return sock
    first = make_daemon("first").start(config)
    sock = connect()
    wait_joined(first)
    kill(first)
    second = make_daemon("second").start(config)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    sock = connect()
    assert ask.echoes(sock, b"x" * 100000)
    sock.close()
    wait_until(lambda: second.active() == 0, 5)


def test_flows_are_shown_without_a_daemon(killed):
    sock, sluice, _ = killed
    assert ask.echoes(sock, b"x" * 1000)
    result = json.loads(sluice.flows("--json"))
    assert result["daemon"] is False and result["verdicts"]["spliced"] >= 2
    row, = result["flows"]
    assert (row["state"], row["front"], row["backend"]) == ("spliced", "10.77.1.1:8000",
                                                             "10.77.2.2:7000")
    assert row["client"] == "{}:{}".format(*sock.getsockname())
    assert (row["up"]["bytes"], row["down"]["bytes"]) == (1000, 1000)
    assert row["down"]["relayed_bytes"] == 2
    assert row["up"]["packets"] >= 1 and row["idle_seconds"] < 10
    assert "no daemon follows them" in sluice.flows()
    assert "new_syn" in sluice.flows("--verdicts")
    sock.shutdown(socket.SHUT_WR)
    wait_until(lambda: sluice.flow_rows()[0]["state"] == "over", 5)
    assert sluice.flow_rows()[0]["up"]["said"] == "fin_acked"


def test_what_is_left_behind_can_be_discarded(net, killed):
    sock, sluice, _ = killed
    filters = ("tc", "filter", "show", "dev", "p0", "ingress")
    assert "tc_ingress" in net.proxy.run(*filters).stdout
    assert "1 connections ended" in sluice.flows("--discard")
    assert ask.ended(sock)[0] == "reset"
    assert sluice.pins() == []
    assert "tc_ingress" not in net.proxy.run(*filters).stdout
    assert "nothing is pinned" in sluice.flows(check=False).stderr


def test_what_a_daemon_follows_is_not_discarded(net, sluice, named_origin):
    sluice.start(spliced(named_origin("o", ORIGIN)))
    sock, _ = ask.opened(net.client, FRONT)
    wait_joined(sluice)
    refused = sluice.flows("--discard", check=False)
    assert refused.returncode == 1 and "a daemon follows them" in refused.stderr
    assert json.loads(sluice.flows("--json"))["daemon"] is True
    assert ask.echoes(sock)
    sock.close()


def test_a_second_daemon_of_an_instance_is_refused(net, sluice, make_daemon, named_origin):
    config = spliced(named_origin("o", ORIGIN))
    sluice.start(config)
    second = make_daemon("second").launch(config)
    assert second.process.wait(10) == 1
    assert "another sluiced is the instance" in second.process.stderr()
    second.process = None
    sock, _ = ask.opened(net.client, FRONT)
    wait_joined(sluice)
    sock.close()


def filters(namespace, device):
    """At TC ingress: of our priority, by handle."""
    shown = namespace.run("tc", "-j", "filter", "show", "dev", device, "ingress").stdout
    return {row["options"]["handle"] for row in json.loads(shown)
            if row["pref"] == 0xC5 and "handle" in row.get("options", {})}


def test_instances_stand_side_by_side(net, make_daemon, named_origin):
    """Each carries its own, and neither takes the other's programs away when it goes."""
    origin = named_origin("o", ORIGIN)
    first, second = make_daemon("first"), make_daemon("second")
    second.instance = first.instance + "-second"
    first.start(spliced(origin))
    second.start(spliced(origin, listener_options={"bind": [f"0.0.0.0:{PORT + 1}"]}))
    assert len(filters(net.proxy, "p0")) == 2
    one, _ = ask.opened(net.client, FRONT)
    other, _ = ask.opened(net.client, (FRONT[0], PORT + 1))
    wait_joined(first)
    wait_joined(second)
    assert splice.exchange(one, MEBIBYTE) and splice.exchange(other, MEBIBYTE)
    other.close()
    splice.wait_over(second)
    second.stop()
    assert len(filters(net.proxy, "p0")) == 1
    assert splice.exchange(one, MEBIBYTE)
    one.close()


def test_the_size_of_adopted_tables_stays(killed):
    sock, sluice, config = killed
    config["acceleration"]["max_flows"] = 2048
    sluice.start(config)
    assert "max_flows stays 1024" in sluice.process.stderr()
    assert len(adopted(sluice)) == 1 and ask.echoes(sock)


def test_tables_without_connections_are_made_anew(killed, net, make_daemon):
    sock, sluice, config = killed
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
    wait_until(lambda: sluice.flow_rows()[0]["state"] == "over", 5)
    sluice.start(config)
    wait_until(lambda: sluice.flow_rows() == [], 5)
    kill(sluice)
    config["acceleration"]["max_flows"] = 2048
    third = make_daemon("third").start(config)
    assert json.loads(third.flows("--json"))["max_flows"] == 2048
    other, _ = ask.opened(net.client, FRONT)
    wait_joined(third)
    assert ask.echoes(other)
    other.close()


@pytest.fixture
def of_another_version(killed):
    """(socket, daemon, configuration, port): a later version has made the dead daemon's tables, as
    they say; the port is the one of the connection to the backend."""
    _, sluice, _ = killed
    port = int(sluice.flow_rows()[0]["via"].split(":")[1])
    meta = f"/sys/fs/bpf/sluice/{sluice.instance}/meta"
    dump = json.loads(subprocess.run(["bpftool", "-j", "map", "dump", "pinned", meta], check=True,
                                     capture_output=True, text=True).stdout)
    value = [str(int(byte, 16)) for byte in dump[0]["value"]]
    value[0] = "99"
    subprocess.run(["bpftool", "map", "update", "pinned", meta, "key", "0", "0", "0", "0", "value",
                    *value], check=True)
    return *killed, port


def test_tables_of_another_version_are_left_alone(net, of_another_version):
    sock, sluice, config, _ = of_another_version
    sluice.start(config)
    assert "1 connections of an earlier daemon go on without us" in sluice.process.stderr()
    assert "sluicectl flows --discard" in sluice.process.stderr()
    assert ask.echoes(sock)
    other, _ = ask.opened(net.client, FRONT)
    assert ask.echoes(other) and rungs(sluice) == [("relay", "unavailable")]
    other.close()
    sluice.stop()
    assert ask.echoes(sock)
    refused = sluice.flows(check=False)
    assert refused.returncode == 1 and "another version" in refused.stderr
    sluice.flows("--discard")
    with pytest.raises(ConnectionResetError):
        ask.echoes(sock)
    sluice.start(config)
    other, _ = ask.opened(net.client, FRONT)
    wait_joined(sluice)
    other.close()


def test_ports_of_another_versions_connections_are_kept(net, of_another_version, few_ports):
    sock, sluice, config, port = of_another_version
    few_ports(2, port - port % 2)
    config["pools"][0]["connect_retries"] = 0
    sluice.start(config)
    other, _ = ask.opened(net.client, FRONT)
    assert ask.echoes(other) and ask.echoes(sock)
    assert ask.refusal(net.client, FRONT)[1] == b""
    other.close()


@pytest.fixture
def make_nobody(net, io):
    """Daemons that become nobody, in a directory of nobody's."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="sluice-e2e-"))
    shutil.chown(path, "nobody")
    path.chmod(0o755)
    daemons = []

    def make(name):
        daemons.append(Sluiced(net.proxy, path, io, name))
        return daemons[-1]
    yield make
    for daemon in daemons:
        daemon.stop()
        daemon.discard()
    shutil.rmtree(path)


def test_a_daemon_that_gave_up_root_is_followed_by_one(net, make_nobody, named_origin):
    config = spliced(named_origin("o", ORIGIN))
    config["user"] = "nobody"
    filters = ("tc", "filter", "show", "dev", "p0", "ingress")
    first = make_nobody("first").start(config)
    sock, _ = ask.opened(net.client, FRONT)
    wait_joined(first)
    before = net.proxy.run(*filters).stdout
    kill(first)
    second = make_nobody("second").start(config)
    assert len(adopted(second)) == 1 and ask.echoes(sock, b"x" * 100000)
    assert net.proxy.run(*filters).stdout != before
    other, _ = ask.opened(net.client, FRONT)
    wait_joined(second)
    assert ask.echoes(other)
    for sock in (sock, other):
        sock.shutdown(socket.SHUT_WR)
        assert ask.ended(sock)[0] == "fin"
    wait_until(lambda: second.active() == 0, 5)
    second.stop()
    assert second.pins() == []
    assert "tc_ingress" not in net.proxy.run(*filters).stdout
