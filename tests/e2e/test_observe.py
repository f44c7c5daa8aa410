# SPDX-License-Identifier: Apache-2.0
"""What the daemon says of itself: access log, metrics, sluicectl."""
import fcntl
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from lib import ask, origins, proxy_header, traffic
from lib.configs import FRONT, simple
from lib.netns import BACKEND, CLIENT
from lib.process import wait_until

METRICS = ("127.0.0.1", 9901)


@pytest.fixture
def origin(named_origin):
    return named_origin("o", (BACKEND, 7000))


def with_log(path, log_format="json"):
    return {"access_log": {"path": str(path), "format": log_format}}


def log_lines(path, count=1):
    wait_until(lambda: path.exists() and len(path.read_text().splitlines()) >= count, 5,
               f"{count} lines in the access log")
    return path.read_text().splitlines()


def test_the_json_access_log_has_every_field(net, tmp_path, sluice, origin):
    log = tmp_path / "access.log"
    sluice.start(simple(origin, top=with_log(log)))
    sock = net.client.connect(FRONT)
    port = sock.getsockname()[1]
    assert origins.exchange(sock, b"12345") == b"o\n12345"
    line = json.loads(log_lines(log)[0])
    expected = {"listener": "front", "pool": "main", "endpoint": origin.text,
                "client": f"{CLIENT}:{port}", "bytes_in": 5, "bytes_out": 7, "end": "done",
                "rung": "relay"}
    assert {key: line.get(key) for key in expected} == expected
    assert re.match(r"\d{4}-\d\d-\d\dT", line["time"])
    assert [key for key in line if "duration" in key or "connect" in key]


def test_the_text_access_log_is_one_line_a_connection(net, tmp_path, sluice, origin):
    log = tmp_path / "access.log"
    sluice.start(simple(origin, top=with_log(log, "text")))
    for _ in range(3):
        origins.exchange(net.client.connect(FRONT), b"12345")
    lines = log_lines(log, 3)
    assert len(lines) == 3
    for word in ("front", "main", origin.text, CLIENT, "done", "relay"):
        assert all(word in line for line in lines), lines


def ends_of(path, count):
    return [json.loads(line)["end"] for line in log_lines(path, count)]


def test_sigusr1_opens_a_rotated_access_log_anew(net, tmp_path, sluice, origin):
    log, rotated = tmp_path / "access.log", tmp_path / "access.log.1"
    sluice.start(simple(origin, top=with_log(log)))
    assert ask.name(net.client, FRONT)
    log_lines(log)
    log.rename(rotated)
    sluice.process.signal(signal.SIGUSR1)
    wait_until(log.exists, 5)
    assert ask.name(net.client, FRONT)
    log_lines(log)
    assert len(rotated.read_text().splitlines()) == 1


def test_the_access_log_says_why_a_connection_ended(net, tmp_path, sluice, named_origin):
    def reset(sock, _):
        sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    origin = named_origin("resetter", (BACKEND, 7000), reset)
    log = tmp_path / "access.log"
    config = simple(origin, top=with_log(log),
                    listener_options={"proxy_protocol": {"accept": [f"{CLIENT}/32"],
                                                         "timeout": "300ms"}})
    sluice.start(config)
    header = proxy_header.v1(("192.0.2.7", 1234), ("192.0.2.8", 443))
    for count, (first, expected) in enumerate([(header + b"x", "backend_reset"),
                                               (b"nonsense\r\n", "proxy_header_invalid"),
                                               (b"", "proxy_header_timeout")], 1):
        sock = net.client.connect(FRONT)
        sock.sendall(first)
        ask.ended(sock)
        assert ends_of(log, count)[-1] == expected


def test_the_access_log_names_failed_connects(net, tmp_path, sluice):
    log = tmp_path / "access.log"
    sluice.start(simple(f"{BACKEND}:7999", top=with_log(log), outlier={"consecutive_failures": 0}))
    ask.refusal(net.client, FRONT)
    assert ends_of(log, 1) == ["connect_failed"]


def http_get(net, path):
    sock = net.proxy.connect(METRICS)
    with sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head, _, body = origins.read_all(sock).decode().partition("\r\n\r\n")
    return head, body


def test_metrics_satisfy_promtool(net, sluice, traffic_server):
    server = traffic_server()
    config = sluice.complete(simple(server, f"{BACKEND}:7999"))
    config["admin"]["listen"] = "127.0.0.1:9901"
    sluice.start(config)
    traffic.run(net.client, FRONT, connections=20, up=1000, down=1000)
    head, body = http_get(net, "/metrics")
    assert head.startswith("HTTP/1.1 200")
    assert "text/plain" in head
    done = subprocess.run(["promtool", "check", "metrics"], input=body, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    names = set(re.findall(r"^(sluice_\w+)", body, re.M))
    assert names
    for word in ("build_info", "_bucket", "connect", "session", "endpoint", "listener", "pool"):
        assert any(word in name for name in names), f"{word}: {sorted(names)}"
    assert http_get(net, "/nonsense")[0].startswith("HTTP/1.1 404")
    assert sluice.ctl("metrics").split("\n")[0].startswith("# ")


def sample(text, name, **labels):
    """The sum of a metric's samples that have these labels."""
    total = 0.0
    for line in text.splitlines():
        match = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line)
        if match and match[1] == name and all(f'{k}="{v}"' in (match[2] or "")
                                              for k, v in labels.items()):
            total += float(match[3])
    return total


def test_lost_lines_of_the_access_log_are_counted(net, sluice, origin):
    sluice.start(simple(origin, top=with_log("/dev/full")))
    ask.names(net.client, FRONT, 3)
    wait_until(lambda: sample(sluice.ctl("metrics"), "sluice_log_lines_lost_total",
                              log="access") == 3, 5)
    assert sluice.ctl_json("status")["lines_lost"] == {"access_log": 3, "log": 0}
    assert "3 of the access log" in sluice.ctl("status")
    assert "/dev/full" in sluice.process.stderr() and "No space left" in sluice.process.stderr()


def test_a_log_that_nobody_reads_holds_nobody_up(net, tmp_path, sluice, origin):
    """Its pipe is full; the control thread and the workers go on, and tell of it later."""
    pipe = tmp_path / "log"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    sluice.start(simple(origin, top={"log": {"level": "debug"}}),
                 prefix=["sh", "-c", 'exec "$@" 2>"$0"', str(pipe)])
    lost = lambda: sluice.ctl_json("status")["lines_lost"]["log"]
    for number in (signal.SIGUSR2, signal.SIGHUP) * 20:
        sluice.process.signal(number)
        assert sluice.ctl_json("status")["state"] == "serving"
    wait_until(lambda: lost() > 0, 5)
    assert ask.name(net.client, FRONT) == "o"
    os.read(reader, 65536)
    sluice.process.signal(signal.SIGTERM)  # is told of in any case: no flood has had its words
    sluice.wait_clean(5)
    assert "lines of this log that are lost here" in os.read(reader, 65536).decode()
    os.close(reader)


def test_counters_count(net, sluice, traffic_server):
    server = traffic_server()
    sluice.start(simple(server))
    report = traffic.run(net.client, FRONT, connections=20, up=1000, down=3000)
    traffic.assert_ok(report, 20)
    wait_until(lambda: sluice.active() == 0, 5)
    row = sluice.listeners()["front"]
    assert row["accepted"] == 20
    assert row["bytes_out"] == 20 * 3000
    assert row["bytes_in"] == 20 * (1000 + 80)  # the tool's request comes first
    endpoint = sluice.endpoints("main")[server.text]
    assert (endpoint["connections"], endpoint["active"]) == (20, 0)


TABLES = [("status",), ("listeners",), ("pools",), ("connections",), ("version",)]


@pytest.mark.parametrize("words", TABLES)
def test_every_view_has_a_table_and_json(net, sluice, origin, words):
    sluice.start(simple(origin))
    sock, _ = ask.opened(net.client, FRONT)
    table = sluice.ctl(*words)
    assert table.strip()
    assert "\x1b" not in table
    json.loads(sluice.ctl("--json", *words))
    sock.close()


def test_the_tables_name_what_is_there(net, sluice, origin):
    sluice.start(simple(origin))
    sock, _ = ask.opened(net.client, FRONT)
    assert "front" in sluice.ctl("listeners")
    assert origin.text in sluice.ctl("pools")
    table = sluice.ctl("connections")
    assert CLIENT in table and "relay" in table
    row = sluice.connections()[0]
    assert row["state"] == "relay"
    assert row["client"] == "%s:%d" % sock.getsockname()
    sock.close()


def test_sluicectl_fails_when_nobody_answers(sluice, origin):
    sluice.start(simple(origin))
    sluice.stop()
    done = sluice.ctl("status", check=False)
    assert done.returncode != 0
    assert str(sluice.socket_path) in done.stderr


def test_sluicectl_refuses_an_unknown_command(sluice, origin):
    sluice.start(simple(origin))
    done = sluice.ctl("dance", check=False)
    assert done.returncode != 0
    assert "dance" in done.stderr
