# SPDX-License-Identifier: Apache-2.0
"""A client's requests come back to the endpoint that has served it."""
import collections

import pytest

from lib import curl
from lib.configs import listener, pool
from lib.netns import BACKEND
from lib.process import wait_until
from lib.web import Client, Web, said

ENDPOINTS = 4


@pytest.fixture
def webs(net, keep):
    return [keep(Web(net.backend, (BACKEND, 7000 + i))) for i in range(ENDPOINTS)]


@pytest.fixture
def serve(net, sluice, webs):
    def start(listener_options=None, **options):
        front = listener(mode="http", **(listener_options or {}))
        sluice.start({"listeners": [front], "pools": [pool(*webs, **options)]})
    return start


def served(webs):
    """By which endpoint the latest request was, and forgets it."""
    found = [i for i, web in enumerate(webs) if web.seen]
    assert len(found) == 1
    seen = webs[found[0]].seen.pop()
    return found[0], seen


def cookie_of(message):
    return message.get("set-cookie").split(";")[0]


# --- By a cookie of ours --------------------------------------------------------
def test_cookie_leads_back(net, serve, webs):
    serve(sticky={"cookie": "stick"})
    for _ in range(6):
        with Client(net) as client:
            first = client.ask()
            home, _ = served(webs)
            for _ in range(3):
                got = client.ask(fields=[("Cookie", f"a=1; {cookie_of(first)}; b=2")])
                assert got.get("set-cookie") is None
                where, seen = served(webs)
                assert where == home
                assert seen.get("cookie") == "a=1; b=2"


def test_cookie_has_its_attributes(net, serve):
    serve(sticky={"cookie": "stick", "ttl": "1h", "path": "/app", "secure": "on", "same_site": "strict"})
    value, *attributes = [part.strip() for part in
                          curl.ask(net.client).get("set-cookie").split(";")]
    assert value.startswith("stick=")
    assert {a.lower() for a in attributes} == {"path=/app", "max-age=3600", "secure", "httponly", "samesite=strict"}


def test_cookie_on_a_plain_connection_is_not_secure(net, serve):
    serve(sticky={"cookie": "stick", "http_only": False})
    attributes = curl.ask(net.client).get("set-cookie").lower()
    assert "secure" not in attributes and "httponly" not in attributes and "max-age" not in attributes


def test_forged_cookie_is_not_believed(net, serve, webs):
    serve(sticky={"cookie": "stick"})
    with Client(net) as client:
        good = cookie_of(client.ask())
        served(webs)
        forged = [good[:-1] + ("0" if good[-1] != "0" else "1"), "stick=", "stick=x",
                  "stick=" + "0" * 16 + good[22:], good[:22], good + "0"]
        for cookie in forged:
            assert client.ask(fields=[("Cookie", cookie)]).get("set-cookie") is not None, cookie
            assert served(webs)[1].get("cookie") is None


def test_another_endpoint_takes_over_and_signs_anew(net, sluice, serve, webs):
    serve(sticky={"cookie": "stick"})
    with Client(net) as client:
        first = cookie_of(client.ask())
        home, _ = served(webs)
        sluice.ctl("endpoint", "main", f"{BACKEND}:{7000 + home}", "drain")
        wait_until(lambda: client.ask(fields=[("Cookie", first)]).get("set-cookie") is not None)
        for web in webs:
            web.seen.clear()
        second = cookie_of(client.ask(fields=[("Cookie", first)]))
        new, _ = served(webs)
        assert (new != home, second != first) == (True, True)
        assert client.ask(fields=[("Cookie", second)]).get("set-cookie") is None
        assert served(webs)[0] == new


def test_key_of_the_configuration_outlives_the_daemon(net, make_daemon, webs):
    config = {"listeners": [listener(mode="http")],
              "pools": [pool(*webs, sticky={"cookie": "s", "key": "0123456789abcdef"})]}
    cookies = []
    for name in ("first", "second"):
        daemon = make_daemon(name)
        daemon.start(config)
        fields = [("Cookie", cookies[0])] if cookies else []
        with Client(net) as client:
            got = client.ask(fields=fields)
        if cookies:
            assert got.get("set-cookie") is None
        else:
            cookies.append(cookie_of(got))
        daemon.stop()


# --- By what the client sends ---------------------------------------------------
@pytest.mark.parametrize("balance", ["maglev", "source"])
@pytest.mark.parametrize("key, field", [
    ({"header": "X-User"}, lambda user: ("X-User", user)),
    ({"cookie": "user"}, lambda user: ("Cookie", f"a=b; user={user}")),
])
def test_hash_leads_back(net, serve, webs, balance, key, field):
    serve(balance=balance, hash_key=key)
    homes = collections.defaultdict(set)
    with Client(net) as client:
        for round_ in range(3):
            for user in range(40):
                client.ask(fields=[field(f"user{user}")])
                homes[user].add(served(webs)[0])
    assert all(len(home) == 1 for home in homes.values())
    assert len({tuple(home) for home in homes.values()}) == ENDPOINTS
