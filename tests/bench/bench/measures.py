# SPDX-License-Identifier: Apache-2.0
"""What is measured. A measure takes a running path and returns its numbers of one round."""
import json
import re
import subprocess
import time

from lib.paths import TOOLS
from lib.traffic import Client

from .cpu import Meter, private_kib
from .peers import BULK, ECHO, LENGTHS, WEB
from .steps import Steps


class Session:
    """What all measures need: the namespaces, the directory, and how long to measure."""

    def __init__(self, net, directory, seconds, idle_connections):
        self.net = net
        self.directory = directory
        self.seconds = seconds
        self.idle_connections = idle_connections
        self.paced_rate = None  # requests/s of the latency measure, the same for all paths

    def run_client(self, argv):
        done = subprocess.run(self.net.client.command(argv), text=True, capture_output=True,
                              timeout=self.seconds + 120)
        if done.returncode:
            raise RuntimeError(f"{argv}: {done.returncode}\n{done.stderr}{done.stdout}")
        return done.stdout


def _per_request_us(seconds, count):
    return None if seconds is None else seconds / count * 1e6


def _wrk(session, peer, connections, *options, path="/", port=WEB):
    url = "http://%s:%d%s" % (*peer.address(port), path)
    argv = ["wrk", "-t", 2, "-c", connections, "-d", f"{session.seconds}s", "--timeout", "10s",
            *options, url]
    with Meter(peer.pid) as meter:
        text = session.run_client(argv)
    count = int(re.search(r"(\d+) requests in", text)[1])
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
        "process_cpu_us": _per_request_us(meter.seconds, count),
        "idle": meter.idle,
        "errors": sum(map(int, errors.groups())) if errors else 0,
        "bad": int(bad[1]) if bad else 0,
    }


def requests_64(session, peer):
    return _wrk(session, peer, 64)


def requests_512(session, peer):
    return _wrk(session, peer, 512)


def connections(session, peer):
    """A connection for every request; the backend says FIN first."""
    return _wrk(session, peer, 64, "-H", "Connection: close")


def handoff(session, peer):
    """Connections of so many requests: what one costs the proxy, handed over or not. Then, by
    itself, for it costs something to look: how long the steps of a hand-over take."""
    values = {}
    for length, port in LENGTHS.items():
        found = _wrk(session, peer, 64, port=port)
        values[f"cpu_us_{length}"] = found["process_cpu_us"] * length
        values[f"idle_{length}"] = found["idle"]
    if peer.name in SPLICED:
        with Steps(session, peer) as steps:
            _wrk(session, peer, 64, port=LENGTHS[16])
        values.update(steps.found)
    return values


def throughput(session, peer):
    host, port = peer.address(BULK)
    with Meter(peer.pid) as meter:
        text = session.run_client(["iperf3", "-c", host, "-p", port, "-t", session.seconds, "-J"])
    end = json.loads(text)["end"]["sum_received"]
    return {"gbit": end["bits_per_second"] / 1e9,
            "cpu_s_per_gb": None if meter.seconds is None else meter.seconds / end["bytes"] * 1e9,
            "idle": meter.idle}


def latency(session, peer):
    host, port = peer.address(WEB)
    with Meter(peer.pid) as meter:
        text = session.run_client([TOOLS / "pace", host, port, int(session.paced_rate), 64,
                                   session.seconds])
    found = json.loads(text)
    return {"p50_us": found["p50_us"], "p99_us": found["p99_us"], "p999_us": found["p999_us"],
            "rate": session.paced_rate,
            "process_cpu_us": _per_request_us(meter.seconds, found["answered"]),
            "idle": meter.idle, "errors": found["errors"]}


def _settled_kib(pid):
    """The memory once two looks half a second apart agree."""
    before = private_kib(pid)
    for _ in range(20):
        time.sleep(0.5)
        now = private_kib(pid)
        if now == before:
            break
        before = now
    return before


def _hold(session, peer, count):
    return Client(session.net.client, peer.address(ECHO), session.directory, "idle", order="hold",
                  connections=count, up=1, down=1, timeout=300_000).wait_holding(120)


def memory(session, peer):
    """A fresh process, its pools woken by a few connections; then the connections that idle."""
    peer.restart()
    _hold(session, peer, 100).finish()
    before = _settled_kib(peer.pid)
    client = _hold(session, peer, session.idle_connections)
    after = _settled_kib(peer.pid)
    report = client.finish()
    if report["ok"] != session.idle_connections:
        raise RuntimeError(f"{peer.name}: {report}")
    return {"bytes_per_connection": (after - before) * 1024 / session.idle_connections,
            "base_mib": before / 1024}


def http_1k(session, peer):
    return _wrk(session, peer, 64, path="/size/1k")


def http_64k(session, peer):
    return _wrk(session, peer, 64, path="/size/64k")


def http_1m(session, peer):
    return _wrk(session, peer, 16, path="/size/1m")


# name: (function, which paths it makes sense for)
PROXIES = ("sluice", "haproxy", "nginx")
ALL = ("plain", *PROXIES)
SPLICED = ("sluice-splice-tc",)
MEASURES = {
    "requests_64": (requests_64, ALL + SPLICED),
    "requests_512": (requests_512, ALL + SPLICED),
    "connections": (connections, ALL + SPLICED),
    "handoff": (handoff, ("sluice", *SPLICED)),
    "throughput": (throughput, ("plain", "sluice", *SPLICED, "haproxy", "haproxy-copy", "nginx")),
    "latency": (latency, ALL + SPLICED),
    "memory": (memory, PROXIES),
}

HTTP = ("plain", "sluice-http", "haproxy-http", "nginx-http")
HTTP_MEASURES = {
    "http_64": (requests_64, HTTP),
    "http_512": (requests_512, HTTP),
    "http_1k": (http_1k, HTTP),
    "http_64k": (http_64k, HTTP),
    "http_1m": (http_1m, HTTP),
    "http_latency": (latency, HTTP),
}
