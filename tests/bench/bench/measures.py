# SPDX-License-Identifier: Apache-2.0
"""What is measured. A measure takes a running path and returns its numbers of one round."""
import contextlib
import http.client
import json
import re
import subprocess
import time

from lib.netns import BACKEND
from lib.paths import TOOLS
from lib.process import Process
from lib.traffic import Client

from .cpu import Meter, family, private_kib
from .peers import BACKEND_BASE, BULK, DATAGRAM, ECHO, FILES, LENGTHS, WEB
from .steps import Steps


class Session:
    """What all measures need: the namespaces, the directory, and how long to measure."""

    def __init__(self, net, backend, directory, seconds, idle_connections):
        self.net = net
        self.backend = backend
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


def _wrk_command(peer, seconds, connections, *options, path="/", port=WEB):
    url = "%s://%s:%d%s" % (peer.scheme, *peer.address(port), path)
    return ["wrk", "-t", 2, "-c", connections, "-d", f"{seconds}s", "--timeout", "10s", *options,
            url]


def _wrk(session, peer, connections, *options, **more):
    argv = _wrk_command(peer, session.seconds, connections, *options, **more)
    with Meter(peer.pid) as meter:
        text = session.run_client(argv)
    count = int(re.search(r"(\d+) requests in", text)[1])
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
        "process_cpu_us": _per_request_us(meter.seconds, count),
        "idle": meter.idle, "others": meter.others,
        "errors": sum(map(int, errors.groups())) if errors else 0,
        "bad": int(bad[1]) if bad else 0,
    }


def _answered_by_backend(session):
    host = http.client.HTTPConnection(BACKEND, BACKEND_BASE + WEB)
    with session.net.client.entered():
        host.connect()
    host.request("GET", "/status")
    return int(re.search(r"requests\s+\d+ \d+ (\d+)", host.getresponse().read().decode())[1])


def _wrk_secured(session, peer, connections, path):
    """Only once all connections are there: hundreds of handshakes would be much of a short run."""
    ramp = 1 + connections // 256
    argv = _wrk_command(peer, ramp + session.seconds + 1, connections, path=path)
    wrk = Process(argv, session.directory, "wrk", session.net.client)
    time.sleep(ramp)
    with Meter(peer.pid) as meter:
        before = _answered_by_backend(session)
        time.sleep(session.seconds)
        count = _answered_by_backend(session) - before
    if wrk.wait() != 0 or "Non-2xx" in wrk.stdout():
        raise RuntimeError(f"{peer.name}: {wrk.stdout()}{wrk.stderr()}")
    return {"rate": count / meter.elapsed, "idle": meter.idle, "others": meter.others,
            "process_cpu_us": _per_request_us(meter.seconds, count)}


def _requests(session, peer, connections, path="/"):
    ask = _wrk_secured if peer.scheme == "https" else _wrk
    return ask(session, peer, connections, path=path)


def requests_64(session, peer):
    return _requests(session, peer, 64)


def requests_512(session, peer):
    return _requests(session, peer, 512)


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
            "idle": meter.idle, "others": meter.others}


def datagrams(session, peer):
    with Meter(peer.pid) as meter:
        text = session.run_client([TOOLS / "datagram", "ask", *peer.address(DATAGRAM), 64,
                                   session.seconds])
    found = json.loads(text)
    if found["lost"] > found["answered"] / 100:
        raise RuntimeError(f"{peer.name} loses too many: {found}")
    return {"rate": found["rate"], "lost": found["lost"], "idle": meter.idle, "others": meter.others,
            "process_cpu_us": _per_request_us(meter.seconds, found["answered"])}


def latency(session, peer):
    host, port = peer.address(WEB)
    with Meter(peer.pid) as meter:
        text = session.run_client([TOOLS / "pace", host, port, int(session.paced_rate), 64,
                                   session.seconds, *(["tls"] if peer.scheme == "https" else [])])
    found = json.loads(text)
    return {"p50_us": found["p50_us"], "p99_us": found["p99_us"], "p999_us": found["p999_us"],
            "rate": session.paced_rate,
            "process_cpu_us": _per_request_us(meter.seconds, found["answered"]),
            "idle": meter.idle, "others": meter.others, "errors": found["errors"]}


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


class HandshakeHold(Process):
    """TLS connections that have had one answer and idle, until finish()."""

    def __init__(self, session, peer, count):
        argv = [TOOLS / "handshake", "hold", *peer.address(WEB), count]
        super().__init__(argv, session.directory, "idle", session.net.client,
                         stdin=subprocess.PIPE)
        try:
            self.wait_ready(lambda: "holding" in self.stdout(), 120)
        except AssertionError:
            self.stop()
            raise

    finish = Client.finish


def _growth(session, peer, hold):
    """A fresh process, its pools woken by a few connections; then the connections that idle."""
    peer.restart()
    hold(session, peer, 100).finish()
    before = _settled_kib(peer.pid)
    client = hold(session, peer, session.idle_connections)
    after = _settled_kib(peer.pid)
    report = client.finish()
    if report["ok"] != session.idle_connections:
        raise RuntimeError(f"{peer.name}: {report}")
    return {"bytes_per_connection": (after - before) * 1024 / session.idle_connections,
            "base_mib": before / 1024}


def memory(session, peer):
    return _growth(session, peer, _hold)


def tls_memory(session, peer):
    return _growth(session, peer, HandshakeHold)


HANDSHAKES_AT_ONCE = 64


def _handshakes(session, peer, kind):
    with Meter(peer.pid) as meter:
        text = session.run_client([TOOLS / "handshake", kind, *peer.address(WEB),
                                   HANDSHAKES_AT_ONCE, session.seconds])
    found = json.loads(text)
    # Each connection's first handshake has no ticket yet.
    if kind == "resumed" and found["resumed"] + HANDSHAKES_AT_ONCE < found["handshakes"]:
        raise RuntimeError(f"{peer.name} resumes too few: {found}")
    return {"rate": found["rate"], "errors": found["failed"], "idle": meter.idle, "others": meter.others,
            "process_cpu_us": _per_request_us(meter.seconds, found["handshakes"])}


# Requests/s that are easy for everybody, and the connections that they come on.
FLOOD_RATE, FLOOD_CONNECTIONS = 1000, 64


@contextlib.contextmanager
def _first_on_a_core(pid):
    """Every thread of the process and of its children."""
    pids = list(map(str, family(pid)))
    for member in pids:
        subprocess.run(["chrt", "--all-tasks", "--fifo", "--pid", "1", member], check=True)
    try:
        yield
    finally:
        for member in pids:
            subprocess.run(["chrt", "--all-tasks", "--other", "--pid", "0", member], check=True)


def _flooded(session, peer, kind):
    """Requests on established connections, while others shake hands as fast as they can. Who asks
    and who answers come first on a core and who floods comes last, so that it is the proxy that
    lets requests wait, and not the kernel that lets processes."""
    with _first_on_a_core(session.backend.web.pid):
        return _flooded_proxy(session, peer, kind)


def _flooded_proxy(session, peer, kind):
    pace = Process(["chrt", "--fifo", 1, TOOLS / "pace", *peer.address(WEB), FLOOD_RATE,
                    FLOOD_CONNECTIONS, session.seconds, "tls"],
                   session.directory, "pace", session.net.client)
    pace.wait_ready(lambda: "open" in pace.stderr())
    flood = Process(["chrt", "--idle", 0, TOOLS / "handshake", kind, *peer.address(WEB),
                     HANDSHAKES_AT_ONCE, session.seconds + 1],
                    session.directory, "flood", session.net.client)
    with Meter(peer.pid) as meter:
        failed = pace.wait(session.seconds + 30)
    if flood.wait(30) or failed:
        raise RuntimeError(f"{peer.name}: {pace.stdout()}{pace.stderr()}{flood.stderr()}")
    found = json.loads(pace.stdout())
    return {"p50_us": found["p50_us"], "p99_us": found["p99_us"], "p999_us": found["p999_us"],
            "handshakes": json.loads(flood.stdout())["rate"],
            "busy": meter.seconds / meter.elapsed, "idle": meter.idle, "others": meter.others}


def flood_latency(session, peer):
    return _flooded(session, peer, "full")


def half_flood_latency(session, peer):
    return _flooded(session, peer, "half")


def handshakes_full(session, peer):
    return _handshakes(session, peer, "full")


def handshakes_resumed(session, peer):
    return _handshakes(session, peer, "resumed")


def http_1k(session, peer):
    return _requests(session, peer, 64, "/size/1k")


def http_64k(session, peer):
    return _requests(session, peer, 64, "/size/64k")


def http_1m(session, peer):
    return _requests(session, peer, 16, "/size/1m")


def files_1k(session, peer):
    return _wrk(session, peer, 64, path="/size/1k", port=FILES)


def files_64k(session, peer):
    return _wrk(session, peer, 64, path="/size/64k", port=FILES)


def files_1m(session, peer):
    return _wrk(session, peer, 16, path="/size/1m", port=FILES)


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

FILE_SERVERS = ("sluice-http", "nginx-http")
HTTP = ("plain", "sluice-http", "haproxy-http", "nginx-http")
HTTP_MEASURES = {
    "http_64": (requests_64, HTTP),
    "http_512": (requests_512, HTTP),
    "http_1k": (http_1k, HTTP),
    "http_64k": (http_64k, HTTP),
    "http_1m": (http_1m, HTTP),
    "http_latency": (latency, HTTP),
    "files_1k": (files_1k, FILE_SERVERS),
    "files_64k": (files_64k, FILE_SERVERS),
    "files_1m": (files_1m, FILE_SERVERS),
}

HTTPS = ("sluice-https", "haproxy-https", "nginx-https")
HTTPS_MEASURES = {
    "http_64": (requests_64, HTTPS),
    "http_512": (requests_512, HTTPS),
    "http_1k": (http_1k, HTTPS),
    "http_64k": (http_64k, HTTPS),
    "http_1m": (http_1m, HTTPS),
    "http_latency": (latency, HTTPS),
    "handshakes_full": (handshakes_full, HTTPS),
    "handshakes_resumed": (handshakes_resumed, HTTPS),
    "flood_latency": (flood_latency, HTTPS),
    "half_flood_latency": (half_flood_latency, HTTPS),
    "tls_memory": (tls_memory, HTTPS),
}

THREE = ("haproxy-three", "sluice-splice-three")
NFTABLES = ("nft-numgen", "nft-jhash", "nft-dnat")
DISPATCHERS = ("sluice-nat", "sluice-nat-xdp", "sluice-l2", "sluice-l2-xdp", "sluice-ipip", "sluice-gue")
PACKETS = ("plain", *DISPATCHERS, *NFTABLES)
DISPATCH_MEASURES = {
    "requests_64": (requests_64, PACKETS + THREE),
    "connections": (connections, PACKETS + THREE),
    "datagrams": (datagrams, PACKETS),
    "throughput": (throughput, PACKETS + THREE),
}
