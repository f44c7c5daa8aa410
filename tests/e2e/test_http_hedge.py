# SPDX-License-Identifier: Apache-2.0
"""Hedges: a request that one endpoint keeps waiting is asked of a second one as well."""
import itertools
import json
import random
import socket
import ssl
import struct
import threading
import time

import pytest

from lib.configs import listener, pool
from lib.netns import BACKEND
from lib.origins import Origin
from lib.pki import Authority
from lib.process import wait_until
from lib.web import Client, Web, answer, body_of

BLACK_HOLE = "10.77.2.99"
DELAY = 0.1


class Held:
    """Answers with its name once it is released. Counts connections that end before."""

    def __init__(self, name):
        self.name, self.gone = name, 0
        self.over = threading.Event()

    def __call__(self, sock, _message):
        sock.settimeout(0.01)
        while not self.over.is_set():
            try:
                if sock.recv(1):
                    continue
            except TimeoutError:
                continue
            except ConnectionResetError:
                pass
            self.gone += 1
            return False
        sock.settimeout(30)
        answer(sock, self.name.encode())
        return True

    def release(self):
        self.over.set()

    close = release


def after(seconds, name, method=None):
    """A handler that takes its time."""
    def serve(sock, _message):
        time.sleep(seconds)
        answer(sock, b"" if method == "HEAD" else name.encode())
    return serve


def named(name):
    return after(0, name)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.fixture
def webs(net, keep):
    """The first one is asked first: nearly all turns are its own."""
    return [keep(Web(net.backend, (BACKEND, 7000 + i))) for i in range(3)]


@pytest.fixture
def held(keep):
    return lambda name: keep(Held(name))


@pytest.fixture
def serve(sluice):
    def start(*endpoints, http=None, delay="100ms", log=None, **options):
        first, *others = [getattr(endpoint, "text", endpoint) for endpoint in endpoints]
        rows = [{"address": first, "weight": 256}, *others]
        sluice.start({
            "workers": 1,
            "listeners": [listener(mode="http")],
            "pools": [pool(*rows, http={"hedge_delay": delay, **(http or {})}, **options)],
            "access_log": log or {"path": "stdout", "format": "json"}})
        return sluice
    return start


def counts(sluice):
    row = sluice.pools()["main"]
    return row["hedged"], row["hedges_won"]


def of_pool(sluice, name):
    return sluice.pools()["main"][name]


def logged(sluice):
    """The last line of the log."""
    wait_until(lambda: sluice.process.stdout().endswith("\n"), 10, "a line in the log")
    return json.loads(sluice.process.stdout().splitlines()[-1])


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


# --- Who answers ----------------------------------------------------------------
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_faster_endpoint_answers_for_a_slow_one(net, serve, webs, held, method):
    slow = held("slow")
    webs[0].on("/", slow)
    webs[1].on("/", after(0, "fast", method))
    sluice = serve(*webs[:2])
    with Client(net) as client:
        began = time.monotonic()
        got = client.ask(method=method)
        assert DELAY * 0.9 < time.monotonic() - began < 5
        assert got.status == 200
        assert got.body == (b"" if method == "HEAD" else b"fast")
    assert counts(sluice) == (1, 1)
    wait_until(lambda: slow.gone == 1, 10, "the slow one's connection ends")
    line = logged(sluice)
    assert (line["hedge"], line["tries"], line["endpoint"]) == ("won", 2, webs[1].text)


def test_the_log_of_text_tells_of_hedges(net, serve, webs, held):
    webs[0].on("/", held("slow"))
    sluice = serve(*webs[:2], log={"path": "stdout"})
    with Client(net) as client:
        assert client.ask().status == 200
    wait_until(lambda: " tries=2 hedge=won end=done" in sluice.process.stdout(), 10, "a line")


def test_metrics_tell_of_hedges(net, serve, webs, held):
    webs[0].on("/", held("slow"))
    sluice = serve(*webs[:2])
    with Client(net) as client:
        assert client.ask().status == 200
    page = sluice.ctl("metrics")
    assert 'sluice_pool_hedged_requests_total{pool="main"} 1' in page
    assert 'sluice_pool_hedges_won_total{pool="main"} 1' in page


@pytest.mark.parametrize("is_warm", [False, True], ids=["new", "kept"])
def test_the_first_one_wins_if_it_answers_while_the_hedge_is_under_way(net, serve, webs, held,
                                                                       is_warm):
    first, second = held("first"), held("second")
    webs[0].on("/", first)
    webs[1].on("/", second)
    webs[0].on("/warm", after(0.3, "first"))
    sluice = serve(*webs[:2])
    with Client(net) as client:
        if is_warm:
            # Slower than the delay: the hedge wins and leaves a connection to the second one.
            assert client.ask("/warm").status == 200
        accepted, (hedged, won) = webs[1].accepted, counts(sluice)
        client.send(GET)
        wait_until(lambda: [m for m in webs[1].seen if m.first.startswith("GET / ")], 10,
                   "the second one is asked")
        assert (webs[1].accepted == accepted) == is_warm
        first.release()
        assert client.answer().body == b"first"
        assert counts(sluice) == (hedged + 1, won)
        wait_until(lambda: second.gone == 1, 10, "the second one's connection ends")
        line = logged(sluice)
        assert (line["hedge"], line["tries"], line["endpoint"]) == ("sent", 2, webs[0].text)
        assert len(sluice.endpoints("main")) == 2
        assert [e["active"] for e in sluice.endpoints("main").values()] == [0, 0]


def test_losers_are_not_used_again(net, serve, webs):
    """Whoever is late says so into a connection that nobody listens to any more."""
    webs[0].on("/late", after(0.4, "late"))
    webs[1].on("/late", named("hedge"))
    for web in webs[:2]:
        web.on("/next", named("next"))
    serve(*webs[:2])
    with Client(net) as client:
        for round in range(1, 4):
            assert client.ask("/late").body == b"hedge"
            for _ in range(3):
                assert client.ask("/next").body == b"next"
            assert webs[0].accepted == round + 1
            time.sleep(0.4)


@pytest.mark.parametrize("name", ["first", "second"])
def test_heads_that_come_in_pieces_are_not_mixed_up(net, serve, webs, name):
    """Both have sent half of a head when one of them goes on."""
    begun = [threading.Event(), threading.Event()]
    going = threading.Event()

    def piecemeal(index, own):
        def serve_it(sock, _message):
            sock.sendall(b"HTTP/1.1 200 OK\r\nX-Name: " + own[:3])
            begun[index].set()
            going.wait(20)
            if own.decode() != name:
                time.sleep(1)
            sock.sendall(own[3:] + b"\r\nContent-Length: %d\r\n\r\n" % len(own) + own)
        return serve_it

    webs[0].on("/", piecemeal(0, b"first"))
    webs[1].on("/", piecemeal(1, b"second"))
    serve(*webs[:2])
    with Client(net) as client:
        client.send(GET)
        assert begun[0].wait(10) and begun[1].wait(10)
        going.set()
        got = client.answer()
        assert (got.get("x-name"), got.body) == (name, name.encode())
        assert client.ask().status == 200


def test_an_interim_answer_is_an_answer(net, serve, webs, held):
    def early(sock, _message):
        time.sleep(0.3)
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        time.sleep(0.3)
        answer(sock, b"first")

    other = held("second")
    webs[0].on("/", early)
    webs[1].on("/", other)
    sluice = serve(*webs[:2])
    with Client(net) as client:
        client.send(GET)
        assert client.answer().status == 103
        wait_until(lambda: other.gone == 1, 10, "the second one's connection ends")
        assert client.answer().body == b"first"
    assert counts(sluice) == (1, 0)


def test_a_connect_that_takes_long_is_hedged(net, serve, webs):
    net.proxy.run("ip", "neighbour", "replace", BLACK_HOLE, "lladdr", "02:00:00:00:ff:ff", "dev",
                  "p1", "nud", "permanent")
    webs[0].on("/", named("fast"))
    sluice = serve(f"{BLACK_HOLE}:7000", webs[0], connect_timeout="30s")
    with Client(net) as client:
        assert client.ask().body == b"fast"
    assert counts(sluice) == (1, 1)


def test_in_a_crowd_everybody_gets_his_own_answer(net, serve, webs):
    """Answers come just as hedges are sent, and some connections break."""
    def serve_it(sock, message):
        time.sleep(random.uniform(0, 0.03))
        if random.random() < 0.02:
            reset(sock)
            return False
        answer(sock, message.get("x-number").encode() * 500)
        return True

    for web in webs:
        web.on("/", serve_it)
    sluice = serve(*webs, delay="10ms", connect_retries=7, http={"retry": {"budget": "100%"}},
                   outlier={"consecutive_failures": 0}, balance="random")
    wrong = []

    def ask_many(who):
        with Client(net) as client:
            for i in range(60):
                number = f"{who}.{i};"
                got = client.ask(fields=[("X-Number", number)])
                if (got.status, got.body) != (200, number.encode() * 500):
                    wrong.append((number, got.status, got.body[:30]))

    crowd = [threading.Thread(target=ask_many, args=(who,)) for who in range(12)]
    for member in crowd:
        member.start()
    for member in crowd:
        member.join(60)
    assert wrong == []
    hedged, won = counts(sluice)
    assert hedged > won > 0
    assert [e["active"] for e in sluice.endpoints("main").values()] == [0, 0, 0]


# --- Who fails ------------------------------------------------------------------
def fails(how, told):
    def serve_it(sock, _message):
        told.wait(20)
        if how == "503":
            answer(sock, status="503 Service Unavailable")
            return True
        if how == "reset":
            reset(sock)
        elif how == "nonsense":
            sock.sendall(b"nonsense\r\n\r\n")
        return False
    return serve_it


@pytest.mark.parametrize("how", ["fin", "reset", "nonsense", "503"])
@pytest.mark.parametrize("failing", [0, 1], ids=["first", "second"])
def test_if_one_fails_the_other_answers(net, serve, webs, held, how, failing):
    told, steady = threading.Event(), held("steady")
    webs[failing].on("/", fails(how, told))
    webs[1 - failing].on("/", steady)
    sluice = serve(*webs[:2], http={"retry": {"on_unavailable": True}})
    with Client(net) as client:
        client.send(GET)
        wait_until(lambda: webs[0].seen and webs[1].seen, 10, "both are asked")
        told.set()
        time.sleep(0.3)
        steady.release()
        assert client.answer().body == b"steady"
        assert client.ask("/other").status == 200
    assert of_pool(sluice, "resent") == 0
    assert steady.gone == 0


def test_if_both_fail_a_third_one_is_asked(net, serve, webs):
    told, asked = threading.Event(), itertools.count(1)

    def serve_it(sock, message):
        last = next(asked) == 3
        return (named("third") if last else fails("reset", told))(sock, message)

    for web in webs:
        web.on("/", serve_it)
    sluice = serve(*webs)
    with Client(net) as client:
        client.send(GET)
        wait_until(lambda: sum(len(web.seen) for web in webs) == 2, 10, "two are asked")
        told.set()
        assert client.answer().body == b"third"
    assert of_pool(sluice, "resent") == 1
    assert logged(sluice)["tries"] == 3


def test_an_error_is_an_answer_unless_it_is_tried_again(net, serve, webs, held):
    webs[0].on("/", held("slow"))
    webs[1].on("/", lambda sock, _: answer(sock, status="503 Service Unavailable"))
    sluice = serve(*webs[:2])
    with Client(net) as client:
        assert client.ask().status == 503
    assert counts(sluice) == (1, 1)


def test_a_hedge_that_finds_nobody_does_no_harm(net, serve, webs):
    webs[0].on("/", after(0.5, "first"))
    sluice = serve(webs[0], f"{BACKEND}:7999")
    with Client(net) as client:
        assert client.ask().body == b"first"
    assert counts(sluice) == (1, 0)
    assert of_pool(sluice, "resent") == of_pool(sluice, "retries") == 0


def test_response_timeout_ends_both(net, serve, webs, held):
    both = [held("first"), held("second")]
    for web, handler in zip(webs, both):
        web.on("/", handler)
    sluice = serve(*webs[:2], http={"response_timeout": "300ms"})
    with Client(net) as client:
        assert client.ask().status == 504
        wait_until(lambda: [h.gone for h in both] == [1, 1], 10, "both connections end")
        assert [e["active"] for e in sluice.endpoints("main").values()] == [0, 0]


def test_total_timeout_ends_both(net, serve, webs, held):
    both = [held("first"), held("second")]
    for web, handler in zip(webs, both):
        web.on("/", handler)
    serve(*webs[:2], http={"total_timeout": "400ms"})
    with Client(net) as client:
        assert client.ask().status == 504
        wait_until(lambda: [h.gone for h in both] == [1, 1], 10, "both connections end")


def test_a_client_that_goes_away_ends_both(net, serve, webs, held):
    both = [held("first"), held("second")]
    for web, handler in zip(webs, both):
        web.on("/", handler)
    sluice = serve(*webs[:2], breaker={"max_requests": 10, "max_retries": 10, "max_pending": 10})
    client = Client(net)
    client.send(GET)
    wait_until(lambda: webs[0].seen and webs[1].seen, 10, "both are asked")
    gauges = of_pool(sluice, "breaker")
    assert {name: gauges[name]["now"] for name in gauges} == {
        "requests": 2, "retries": 1, "pending": 0}
    reset(client.sock)
    wait_until(lambda: [h.gone for h in both] == [1, 1], 10, "both connections end")
    gauges = of_pool(sluice, "breaker")
    assert {name: gauges[name]["now"] for name in gauges} == {
        "requests": 0, "retries": 0, "pending": 0}
    assert [e["active"] for e in sluice.endpoints("main").values()] == [0, 0]


# --- What is not hedged ---------------------------------------------------------
@pytest.mark.parametrize("method, body", [("POST", b""), ("PATCH", b""), ("POST", body_of(100)),
                                          ("PUT", body_of(100))])
def test_what_may_not_be_done_twice_is_asked_once(net, serve, webs, method, body):
    webs[0].on("/", after(0.5, "slow"))
    sluice = serve(*webs[:2])
    with Client(net) as client:
        fields = [] if body else [("Content-Length", "0")]
        assert client.ask(method=method, fields=fields, body=body).body == b"slow"
    assert counts(sluice) == (0, 0)
    assert not webs[1].seen


def test_an_upgrade_is_asked_for_once(net, serve, webs):
    webs[0].on("/", after(0.5, "slow"))
    sluice = serve(*webs[:2])
    with Client(net) as client:
        fields = [("Connection", "upgrade"), ("Upgrade", "websocket")]
        assert client.ask(fields=fields).body == b"slow"
    assert counts(sluice) == (0, 0)


def test_who_is_kept_with_an_endpoint_waits_for_it(net, serve, webs):
    webs[0].on("/", named("home"))
    webs[0].on("/slow", after(0.5, "home"))
    sluice = serve(*webs[:2], sticky={"cookie": "stick"})
    with Client(net) as client:
        cookie = client.ask().get("set-cookie").split(";")[0]
        assert client.ask("/slow", fields=[("Cookie", cookie)]).body == b"home"
        assert counts(sluice) == (0, 0)
        webs[1].on("/slow", named("other"))
        assert client.ask("/slow").body == b"other"
        assert counts(sluice) == (1, 1)


def test_without_the_option_nobody_is_hedged(net, serve, webs):
    webs[0].on("/", after(0.5, "slow"))
    sluice = serve(*webs[:2], delay="0")
    with Client(net) as client:
        assert client.ask().body == b"slow"
    assert counts(sluice) == (0, 0)


def test_who_answers_in_time_is_not_hedged(net, serve, webs):
    sluice = serve(*webs[:2], delay="10s")
    with Client(net) as client:
        for _ in range(5):
            assert client.ask().status == 200
    assert counts(sluice) == (0, 0)
    assert not webs[1].seen
    assert "hedge" not in logged(sluice)


@pytest.mark.parametrize("other", ["none", "backup", "full", "idle"])
def test_only_an_endpoint_to_spare_is_asked(net, serve, webs, held, other):
    webs[0].on("/", after(0.5, "slow"))
    webs[1].on("/", named("fast"))
    webs[1].on("/busy", held("busy"))
    rows = {"none": [], "backup": [{"address": webs[1].text, "backup": True}],
            "full": [{"address": webs[1].text, "max_connections": 1}],
            "idle": [{"address": webs[1].text, "weight": 0}]}
    sluice = serve(webs[0], *rows[other])
    if other == "full":
        webs[0].on("/busy", held("busy"))
        with Client(net) as busy, Client(net) as client:
            # The hedge of one request takes the only place for that of another.
            busy.send(GET.replace(b"/ ", b"/busy ", 1))
            wait_until(lambda: webs[1].seen, 10, "the other one is busy")
            assert client.ask().body == b"slow"
            assert counts(sluice) == (1, 0)
        return
    with Client(net) as client:
        assert client.ask().body == b"slow"
    assert counts(sluice) == (0, 0)
    assert of_pool(sluice, "over_budget") == 0
    assert len(webs[0].seen) == 1 and not webs[1].seen


def test_there_is_one_hedge_a_request(net, serve, webs, held):
    for web in webs:
        web.on("/", held("held"))
    sluice = serve(*webs, http={"total_timeout": "1s"})
    with Client(net) as client:
        assert client.ask().status == 504
    assert sum(len(web.seen) for web in webs) == 2
    assert counts(sluice) == (1, 0)


# --- Limits ---------------------------------------------------------------------
def test_hedges_stay_within_the_budget_of_retries(net, serve, webs):
    """Where everybody is slow, load grows by the budget alone: ten, and a fifth of the requests."""
    for web in webs:
        web.on("/", after(0.08, "slow"))
    sluice = serve(*webs[:2], delay="10ms", http={"retry": {"budget": "20%"}})
    with Client(net) as client:
        for _ in range(50):
            assert client.ask().status == 200
    hedged, _ = counts(sluice)
    assert 10 < hedged <= 20
    assert of_pool(sluice, "over_budget") > 0
    wait_until(lambda: len(webs[0].seen) + len(webs[1].seen) == 50 + hedged, 10, "all are sent")


@pytest.mark.parametrize("gauge", ["max_requests", "max_retries"])
def test_hedges_stay_within_the_breaker(net, serve, webs, held, gauge):
    slow, other = held("slow"), held("other")
    webs[0].on("/", slow)
    webs[1].on("/", other)
    # Three requests would be hedged; there is a place for one hedge.
    limit = {"max_requests": 4, "max_retries": 1}[gauge]
    sluice = serve(*webs[:2], breaker={gauge: limit})
    clients = [Client(net) for _ in range(3)]
    for client in clients:
        client.send(GET)
    name = gauge.removeprefix("max_")
    wait_until(lambda: of_pool(sluice, "breaker")[name]["refused"] == 2, 10, "two are refused")
    wait_until(lambda: webs[1].seen, 10, "the hedge is sent")
    assert counts(sluice) == (1, 0)
    slow.release()
    for client in clients:
        assert client.answer().body == b"slow"
        client.sock.close()
    wait_until(lambda: of_pool(sluice, "breaker")[name]["now"] == 0, 10, "all have left")
    assert len(webs[1].seen) == 1


def test_a_hedge_that_would_have_to_connect_is_pending(net, serve, webs):
    """The first one's connect never ends, so that the only place for those who wait is taken."""
    net.proxy.run("ip", "neighbour", "replace", BLACK_HOLE, "lladdr", "02:00:00:00:ff:ff", "dev",
                  "p1", "nud", "permanent")
    webs[0].on("/", named("fast"))
    sluice = serve(f"{BLACK_HOLE}:7000", webs[0], connect_timeout="1s", breaker={"max_pending": 1})
    with Client(net) as client:
        assert client.ask().body == b"fast"
    assert counts(sluice) == (0, 0)
    assert of_pool(sluice, "retries") == 1
    assert of_pool(sluice, "breaker")["pending"] == {"now": 0, "limit": 1, "state": "closed",
                                                     "refused": 1}


# --- Over TLS -------------------------------------------------------------------
@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("pki"))
    made.good, made.other = made.issue("back.test"), made.issue("other.test")
    return made


@pytest.fixture
def secure(net, keep, authority):
    """An origin that speaks TLS: secure(0), and with a name that nobody asked for."""
    def make(index, certificate=authority.good):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        return keep(Web(net.backend, (BACKEND, 7000 + index), context))
    return make


class Mute:
    """Takes connections, and what they say, and says nothing."""

    def __init__(self, net, index):
        self.gone = 0
        self.origin = Origin(net.backend, (BACKEND, 7000 + index), self._listen)
        self.text, self.close = self.origin.text, self.origin.close

    @property
    def accepted(self):
        return self.origin.accepted

    def _listen(self, sock, _origin):
        try:
            while sock.recv(65536):
                pass
        finally:
            self.gone += 1


@pytest.fixture
def mute(net, keep):
    return lambda index: keep(Mute(net, index))


@pytest.fixture
def serve_secure(serve, authority):
    def start(*endpoints, **options):
        return serve(*endpoints, tls={"ca": str(authority.cert), "server_name": "back.test"},
                     **options)
    return start


def assert_at_rest(sluice):
    wait_until(lambda: [e["active"] for e in sluice.endpoints("main").values()] == [0, 0], 10,
               "nobody is asked any more")


def test_over_tls_a_faster_endpoint_answers_for_a_slow_one(net, serve_secure, secure, held):
    webs, slow = [secure(0), secure(1)], held("slow")
    webs[0].on("/", slow)
    webs[1].on("/", named("fast"))
    webs[1].on("/long", lambda sock, _: answer(sock, body_of(300_000)))
    webs[0].on("/long", held("slow"))
    sluice = serve_secure(*webs)
    with Client(net) as client:
        assert client.ask().body == b"fast"
        wait_until(lambda: slow.gone == 1, 10, "the slow one's connection ends")
        # On the connection that was kept, and whose session the next one might resume.
        assert client.ask("/long").body == body_of(300_000)
    assert counts(sluice) == (2, 2)
    assert webs[1].accepted == 1
    assert_at_rest(sluice)


def test_a_handshake_that_takes_long_is_hedged(net, serve_secure, secure, mute):
    silent, web = mute(0), secure(1)
    web.on("/", named("fast"))
    sluice = serve_secure(silent, web)
    with Client(net) as client:
        began = time.monotonic()
        assert client.ask().body == b"fast"
        assert DELAY * 0.9 < time.monotonic() - began < 5
    assert counts(sluice) == (1, 1)
    wait_until(lambda: silent.gone == 1, 10, "the silent one's connection ends")
    assert_at_rest(sluice)


def test_a_hedge_that_is_in_its_handshake_yet_is_let_go(net, serve_secure, secure, mute, held):
    web, silent, first = secure(0), mute(1), held("first")
    web.on("/", first)
    sluice = serve_secure(web, silent)
    with Client(net) as client:
        client.send(GET)
        wait_until(lambda: silent.accepted == 1, 10, "the second one is asked")
        first.release()
        assert client.answer().body == b"first"
    assert counts(sluice) == (1, 0)
    wait_until(lambda: silent.gone == 1, 10, "the silent one's connection ends")
    assert_at_rest(sluice)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_hedge_whose_handshake_fails_changes_nothing(net, serve_secure, secure, authority, method):
    web, wrong = secure(0), secure(1, authority.other)
    web.on("/", after(0.6, "first", method))
    sluice = serve_secure(web, wrong)
    with Client(net) as client:
        got = client.ask(method=method)
        assert (got.status, got.body) == (200, b"" if method == "HEAD" else b"first")
    assert counts(sluice) == (1, 0)
    assert "hostname mismatch" in sluice.process.stderr()
    assert wrong.accepted == 1 and not wrong.seen
    assert_at_rest(sluice)


def test_a_first_one_whose_handshake_fails_late_leaves_it_to_the_hedge(net, serve_secure, secure,
                                                                       keep):
    """It has been hedged before it says that it speaks no TLS."""
    def refuse(sock, _origin):
        sock.recv(1)
        time.sleep(0.4)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    plain = keep(Origin(net.backend, (BACKEND, 7000), refuse))
    web = secure(1)
    web.on("/", after(0.8, "hedge"))
    sluice = serve_secure(plain, web)
    with Client(net) as client:
        assert client.ask().body == b"hedge"
    assert counts(sluice) == (1, 1)
    assert len(web.seen) == 1
    assert_at_rest(sluice)
