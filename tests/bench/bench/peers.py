# SPDX-License-Identifier: Apache-2.0
"""The paths that are compared, each with one worker and no logs, and the backend behind them."""
import json
import resource

from lib.netns import BACKEND, PROXY
from lib.origins import nginx
from lib.paths import BUILD, TOOLS
from lib.process import Process, can_connect
from lib.traffic import Server

# Ports of the backend, and of each proxy: base + offset.
WEB, BULK, ECHO, FILES, DATAGRAM = 1, 2, 3, 8, 9
# Where the backend ends a connection after so many requests: {requests: offset}.
LENGTHS = {4: 4, 16: 5, 64: 6, 256: 7}
OFFSETS = (WEB, BULK, ECHO, *LENGTHS.values())
BACKEND_BASE = 8000
# Pages of the backend: /size/<name>.
BODIES = {"1k": 1 << 10, "64k": 64 << 10, "1m": 1 << 20}
# Without the right to raise the hard limit, it decides how many connections can idle.
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


class Peer:
    """A path from client to backend. `address(what)` is where a client connects."""
    name = title = None
    host, base = PROXY, None
    scheme = "http"
    backends = (BACKEND,)
    # What it does to the devices would be part of every other path: up only while it is measured.
    is_alone = False

    def __init__(self, net, directory):
        self.net = net
        self.directory = directory
        self.process = None

    def address(self, what):
        return self.host, self.base + what

    def start(self):
        self.process = self.launch()
        self.process.wait_ready(lambda: can_connect(self.net.client, self.address(WEB)))

    def restart(self):
        self.stop()
        self.start()

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def launch(self):
        raise NotImplementedError

    def spawn(self, argv):
        return Process(["prlimit", f"--nofile={DESCRIPTORS}", "--", *argv], self.directory, self.name, self.net.proxy)


class Plain(Peer):
    """Routing alone: what the machine can do without a proxy."""
    name, title = "plain", "plain routing"
    host, base = BACKEND, BACKEND_BASE

    def start(self):
        pass


class Sluice(Peer):
    name, title, base = "sluice", "Sluice relay", 8100
    binary = BUILD / "release" / "sluiced"
    io = "auto"
    acceleration = {"mode": "off"}

    def launch(self):
        config = self.directory / f"{self.name}.yaml"
        config.write_text(json.dumps({
            "workers": 1, "io": self.io, "acceleration": self.acceleration,
            "admin": {"socket": str(self.directory / f"{self.name}.sock")},
            "listeners": [{"name": f"l{o}", "bind": [f"{PROXY}:{self.base + o}"], "mode": "tcp",
                           "backlog": 16384, "pool": f"p{o}"} for o in OFFSETS],
            "pools": [{"name": f"p{o}",
                       "endpoints": [{"address": f"{b}:{BACKEND_BASE + o}"} for b in self.backends]}
                      for o in OFFSETS],
        }, indent=1))
        return self.spawn([self.binary, "-c", config])

    def stop(self):
        # The second SIGTERM waits for nobody.
        if self.process and self.process.is_running():
            self.process.child.terminate()
        super().stop()


class SluiceSplice(Sluice):
    """Connections leave the daemon. Its programs look at every packet of the middle's devices."""
    name, title, base = "sluice-splice-tc", "Sluice splice", 8500
    is_alone = True
    acceleration = {"mode": "splice", "hook": "tc", "pin_path": "off"}


class HAProxy(Peer):
    """mode tcp as its manual advises for relays: one thread, splice-auto."""
    name, title, base = "haproxy", "HAProxy mode tcp", 8200
    options = "option splice-auto"
    connections = (DESCRIPTORS - 1000) // 2  # two descriptors each, and some for pipes

    def listen(self, offset):
        servers = "\n".join(f"  server backend{i} {backend}:{BACKEND_BASE + offset}"
                            for i, backend in enumerate(self.backends))
        return f"""
listen l{offset}
  bind {PROXY}:{self.base + offset} backlog 16384
{servers}"""

    def launch(self):
        config = self.directory / f"{self.name}.cfg"
        listens = "\n".join(self.listen(o) for o in OFFSETS)
        config.write_text(f"""
global
  nbthread 1
  maxconn {self.connections}
  maxpipes 256
defaults
  mode tcp
  maxconn {self.connections}
  {self.options}
  timeout connect 5s
  timeout client 10m
  timeout server 10m
{listens}
""")
        return self.spawn(["haproxy", "-db", "-f", config])


class HAProxyCopying(HAProxy):
    """Without splice(2): measured for throughput, so that the better of both is the yardstick."""
    name, title, base = "haproxy-copy", "HAProxy, no splice", 8300
    options = ""


class Nginx(Peer):
    name, title, base = "nginx", "nginx stream", 8400

    def launch(self):
        home = self.directory / "nginx-stream"
        home.mkdir(exist_ok=True)
        servers = "\n".join(f"""  server {{ listen {PROXY}:{self.base + o} backlog=16384;
    proxy_pass {BACKEND}:{BACKEND_BASE + o}; proxy_buffer_size 16k; proxy_timeout 10m; }}"""
                            for o in OFFSETS)
        config = home / "nginx.conf"
        config.write_text(f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
user root; daemon off; worker_processes 1; worker_rlimit_nofile {DESCRIPTORS};
pid {home}/pid; error_log {home}/error.log error;
events {{ worker_connections {DESCRIPTORS}; }}
stream {{
{servers}
}}
""")
        return self.spawn(["nginx", "-p", home, "-c", config, "-e", home / "error.log"])


class Backend:
    """nginx for requests, iperf3 for bulk, the traffic tool for connections that idle."""
    listen_on = BACKEND

    def __init__(self, net, directory):
        http = f"""keepalive_requests 1000000000; keepalive_timeout 10m;
          server {{ listen {self.listen_on}:{BACKEND_BASE + WEB} backlog=16384 reuseport;
            location / {{ default_type text/plain; return 200 "{'x' * 128}"; }}
            location /status {{ stub_status; }}
            location /size/ {{ default_type text/plain; sendfile on; tcp_nopush on; root {directory}; }} }}"""
        for length, offset in LENGTHS.items():
            http += f"""server {{ listen {self.listen_on}:{BACKEND_BASE + offset} backlog=16384 reuseport;
            keepalive_requests {length}; location / {{ return 200 "{'x' * 128}"; }} }}"""
        for name, size in BODIES.items():
            (directory / "size").mkdir(exist_ok=True)
            (directory / "size" / name).write_bytes(b"x" * size)
        main = f"user root; worker_processes 2; worker_rlimit_nofile {DESCRIPTORS};"
        self.processes = []
        self.web = nginx(net.backend, directory, http, "backend", main, is_single=False)
        self.processes.append(self.web)
        self.web.wait_ready(lambda: can_connect(net.backend, (BACKEND, BACKEND_BASE + WEB)))
        bulk = Process(["iperf3", "-s", "-B", self.listen_on, "-p", BACKEND_BASE + BULK], directory,
                       "iperf3", net.backend)
        self.processes.append(bulk)
        bulk.wait_ready(lambda: can_connect(net.backend, (BACKEND, BACKEND_BASE + BULK)))
        self.processes.append(Server((BACKEND, BACKEND_BASE + ECHO), directory, net.backend))

    def answer_datagrams(self, net, directory):
        server = Process([TOOLS / "datagram", "serve", BACKEND_BASE + DATAGRAM], directory,
                         "datagram", net.backend)
        self.processes.append(server)
        server.wait_ready(lambda: "serving" in server.stdout())

    def stop(self):
        for process in self.processes:
            process.stop()


PEERS = (Plain, Sluice, SluiceSplice, HAProxy, HAProxyCopying, Nginx)
