# SPDX-License-Identifier: Apache-2.0
"""Allocations fail while the daemon serves: requests may fail for it, and nothing else does.

What is answered is right; what cannot be ends, and is not waited for; the daemon lives, keeps nothing
of it, and serves as before once there is memory again.
"""
import contextlib
import itertools
import random
import re
import ssl
import threading
import time

import pytest

from lib.codings import unpacked
from lib.configs import FRONT, listener, pool
from lib.netns import BACKEND, PROXY
from lib.origins import Origin, echo
from lib.pki import Authority
from lib.process import wait_until
from lib.scarce import Scarcity
from lib.web import Client, Reader, Web, answer, body_of, in_chunks

TEXT = b"".join(b"%d bottles of beer on the wall\n" % i for i in range(3000))
SECURE, PLAIN = (PROXY, 8443), (PROXY, 8001)
PEERS = 5
CODINGS = ["identity", "gzip", "br", "zstd"]
# From the end of nearly every request to one now and then.
RARITIES = (30, 150, 1000)
SECONDS = 1.0
FIRST_SEED = 1
# A single fault would show, and the origins have none.
BLAMED_AT_ONCE = {"outlier": {"consecutive_failures": 1, "base_ejection": "1d",
                              "max_ejection": "1d"},
                  "health": {"http": {"path": "/size/3000"}, "interval": "2s", "timeout": "2s",
                             "fall": 1}}
# So that what is kept for later is gone soon.
BRIEF = {"idle_timeout": "1s"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("pki"))
    made.front = made.issue("front.test")
    made.back = made.issue("back.test")
    made.client = made.issue("client.test")
    return made


# --- Origins --------------------------------------------------------------------
def plain_text(sock, _):
    answer(sock, TEXT, fields=["Content-Type: text/plain"])


def chunked_text(sock, _):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n" + in_chunks(TEXT, 5000))


def whole_length(sock, message):
    answer(sock, b"%d" % len(message.body))


def serving(made):
    made.on("/text", plain_text)
    made.on("/chunked", chunked_text)
    made.on("/post", whole_length)
    return made


@pytest.fixture
def origins(net, keep, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.back.cert, authority.back.key)
    return {
        "main": [keep(serving(Web(net.backend, (BACKEND, 7000 + i)))) for i in range(2)],
        "secure": [keep(serving(Web(net.backend, (BACKEND, 7010), context)))],
        "echo": [keep(Origin(net.backend, (BACKEND, 7020), echo))],
    }


# --- The daemon -----------------------------------------------------------------
@pytest.fixture
def config(authority, origins, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "text").write_bytes(TEXT)
    routes = [
        {"match": {"path_prefix": ["/site/"]}, "files": {"root": str(site)},
         "rewrite": {"prefix": "/"}},
        {"match": {"path_prefix": ["/secure/"]}, "pool": "secure",
         "rewrite": {"prefix": "/"}},
        {"match": {"path_prefix": ["/mirrored/"]}, "pool": "main", "mirror": {"pool": "secure"},
         "rewrite": {"prefix": "/"}},
        {"match": {"path_regex": ["^/(text|chunked|post)"]}, "pool": "main",
         "filters": ["compression", {"headers": {"response": {
             "set": [{"name": "X-Id", "value": "${request_id}"}]}}}]},
    ]
    http = {"mode": "http", "routes": routes}
    tls = {"certificates": [authority.front.row()],
           "client_auth": {"mode": "optional", "ca": str(authority.cert)}}
    resilience = {**BRIEF, "retry": {"on_reset": True, "on_unavailable": True},
                  "hedge_delay": "50ms"}
    return {
        "listeners": [
            listener(**http),
            listener(name="secure", bind=[f"0.0.0.0:{SECURE[1]}"], tls=tls, **http),
            listener("echo", name="plain", bind=[f"0.0.0.0:{PLAIN[1]}"]),
        ],
        "pools": [
            pool(*origins["main"], http=resilience, **BLAMED_AT_ONCE),
            pool(*origins["secure"], name="secure", http=BRIEF, **BLAMED_AT_ONCE,
                 tls={"ca": str(authority.cert), "server_name": "back.test"}),
            pool(*origins["echo"], name="echo", outlier=BLAMED_AT_ONCE["outlier"]),
        ],
        "access_log": {"path": str(tmp_path / "access.log"), "format": "json"},
    }


@pytest.fixture
def scarcity(tmp_path):
    return Scarcity(tmp_path)


# --- Its clients ----------------------------------------------------------------
class Wrong(Exception):
    """What no lack of memory excuses."""


class Peer(threading.Thread):
    """Asks this and that, one after another, and on the same connection while it lasts."""

    def __init__(self, net, authority, seed):
        super().__init__()
        self.net, self.random = net, random.Random(seed)
        self.context = ssl.create_default_context(cafile=authority.cert)
        self.context.load_cert_chain(authority.client.cert, authority.client.key)
        self.good = 0
        self.failures = []
        self.wrong = None
        self.codings = set()  # of right answers
        self.is_over = threading.Event()
        self.clients = {}
        self.last = ""

    def run(self):
        while not self.is_over.is_set() and not self.wrong:
            self.ask_once()
        for client in self.clients.values():
            client.sock.close()

    def ask_once(self):
        how = self.random.choice([self.get, self.get, self.get_packed, self.post, self.echo])
        try:
            how()
            self.good += 1
        except Wrong as wrong:
            self.wrong = wrong
        except TimeoutError:
            self.wrong = Wrong(f"{how.__name__} hangs: {self.last}")
        except (OSError, EOFError) as failure:
            self.failures.append(f"{how.__name__}: {self.last}: {failure!r}")

    @contextlib.contextmanager
    def client(self, is_secure):
        client = self.clients.pop(is_secure, None)
        if client is None:
            client = Client(self.net, SECURE if is_secure else FRONT, timeout=10)
            try:
                if is_secure:
                    client.sock = self.context.wrap_socket(client.sock,
                                                           server_hostname="front.test")
                    client.reader = Reader(client.sock)
            except OSError:
                client.sock.close()
                raise
        try:
            yield client
        except BaseException:
            client.sock.close()
            raise
        if self.random.random() < 0.7:
            self.clients[is_secure] = client
        else:
            client.sock.close()

    def ask(self, expected, path, *argv, **options):
        is_secure = self.random.random() < 0.5
        self.last = f"{'https' if is_secure else 'http'} {path}"
        with self.client(is_secure) as client:
            message = client.ask(path, *argv, **options)
            if message.status >= 500 or message.get("connection") == "close":
                raise EOFError(message.status)
            if message.status != 200:
                raise Wrong(f"{path}: {message.first}")
            try:
                body = unpacked(message)
            except ValueError as error:
                raise Wrong(f"{path}: {message.get('content-encoding')}: {error}") from error
            if body != expected:
                raise Wrong(f"{path}: {len(body)} bytes of {len(expected)}")
            self.codings.add(message.get("content-encoding") or "identity")

    def get(self):
        path = self.random.choice(["/size/70000", "/size/3000/chunked", "/site/text",
                                   "/secure/size/3000", "/mirrored/size/3000"])
        size = 70000 if "70000" in path else 3000
        self.ask(TEXT if path == "/site/text" else body_of(size), path)

    def get_packed(self):
        path = self.random.choice(["/text", "/chunked"])
        coding = self.random.choice(CODINGS)
        self.ask(TEXT, path, fields=[("Accept-Encoding", coding)])

    def post(self):
        path = self.random.choice(["/post", "/secure/post", "/mirrored/post"])
        self.ask(b"100000", path, "POST", body=body_of(100_000))

    def echo(self):
        said = body_of(30_000)
        with self.net.client.connect(PLAIN, timeout=10) as sock:
            sock.sendall(said)
            if Reader(sock).exactly(len(said)) != said:
                raise Wrong("other bytes than were sent")


@contextlib.contextmanager
def clients(net, authority, seed):
    peers = [Peer(net, authority, seed * PEERS + i) for i in range(PEERS)]
    for peer in peers:
        peer.start()
    try:
        yield peers
    finally:
        for peer in peers:
            peer.is_over.set()
        for peer in peers:
            peer.join()


def assert_right(peers):
    assert not [peer.wrong for peer in peers if peer.wrong]


def assert_serves_all(net, authority):
    with clients(net, authority, 0) as peers:
        wait_until(lambda: all(peer.good > 5 or peer.wrong for peer in peers), 20)
    assert_right(peers)
    assert not [failure for peer in peers for failure in peer.failures]


# --- Facts ----------------------------------------------------------------------
def steer(sluice, is_over):
    """What people ask of a daemon, and whatever it says."""
    for verb in itertools.cycle(["reload", "status", "pools", "connections", "listeners"]):
        if is_over.is_set():
            return
        sluice.ctl(verb, check=False)


def assert_nobody_is_blamed(sluice):
    stderr = sluice.process.stderr()
    assert not re.findall(r".* (?:is ejected|is down).*", stderr), stderr


def serve_in_scarcity(net, sluice, scarcity, authority, rarity, seed):
    """Returns how many requests were answered, how many were not, and in which codings."""
    is_over = threading.Event()
    steward = threading.Thread(target=steer, args=(sluice, is_over))
    with clients(net, authority, seed) as peers:
        steward.start()
        with scarcity.of(rarity, seed):
            time.sleep(SECONDS)
        is_over.set()
        steward.join()
    assert sluice.process.is_running(), f"seed {seed}: {sluice.process.stderr()}"
    assert_right(peers)
    return (sum(peer.good for peer in peers), sum(len(peer.failures) for peer in peers),
            set().union(*(peer.codings for peer in peers)))


def rest(sluice):
    """Descriptors of a daemon whose clients have gone, and whose kept connections and files too."""
    wait_until(lambda: sluice.active() == 0, 20, "no connection is left")
    seen = [sluice.process.descriptors()]

    def is_steady():
        time.sleep(2.5)
        seen.append(sluice.process.descriptors())
        return seen[-1] == seen[-2]

    wait_until(is_steady, 30, f"descriptors come to rest: {seen}")
    return seen[-1]


def test_it_serves_on_when_allocations_fail(net, sluice, scarcity, config, authority, scale):
    sluice.start(config, prefix=scarcity.prefix, env=scarcity.options())
    assert_serves_all(net, authority)
    before = rest(sluice)
    good = failed = 0
    codings = set()
    first = FIRST_SEED if scale == 1 else random.randrange(1 << 30)
    for seed in range(first, first + int(len(RARITIES) * scale)):
        served = serve_in_scarcity(net, sluice, scarcity, authority, RARITIES[seed % len(RARITIES)],
                                   seed)
        good, failed = good + served[0], failed + served[1]
        codings |= served[2]
    assert scarcity.denied > 100 and good and failed and codings == set(CODINGS)
    assert_nobody_is_blamed(sluice)
    assert_serves_all(net, authority)
    sluice.ctl("reload")
    assert_serves_all(net, authority)
    assert rest(sluice) <= before
