# SPDX-License-Identifier: Apache-2.0
"""Which route a request takes, by what only a whole daemon knows: everything read from a file, asked by curl."""
import subprocess

import pytest

from lib import curl
from lib.configs import listener, pool
from lib.netns import BACKEND
from lib.pki import Authority


def told(name, **match):
    return {"match": match, "respond": {"body": name}}


def fingerprint(certificate):
    done = subprocess.run(["openssl", "x509", "-noout", "-sha256", "-fingerprint", "-in", certificate.cert],
                          check=True, capture_output=True, text=True)
    return done.stdout.strip().split("=")[1]


@pytest.fixture
def serve(net, sluice):
    """Routes that tell their names: serve(told("a", path="/a"), …)("/path", …) is the name."""
    def start(*routes, scheme="http", **options):
        front = listener(mode="http", routes=list(routes), **options)
        sluice.start({"listeners": [front], "pools": [pool(f"{BACKEND}:7099")]})
        return lambda path="/", *argv: curl.ask(net.client, path, *argv, scheme=scheme).body.decode()
    return start


def test_pattern_of_the_path(serve):
    ask = serve(told("user", path_regex=["^/users/[0-9]+$"]), told("php", path_regex=[r"\.php$"]),
                told("prefix", path_prefix=["/"]))
    assert [ask(p) for p in ("/users/42", "/users/x", "/a/b.php", "/users/4%32", "/a/%2e%2e/users/1")] == \
        ["user", "prefix", "php", "user", "user"]


def test_more_slashes_go_around_no_route(serve, net):
    ask = serve(told("no", path=["/deny", "/a%20b"]), told("sub", path_prefix=["/sub"]), told("rest", path_prefix=["/"]))
    assert [ask(p) for p in ("//deny", "///deny", "/%64eny", "/a%20b", "//a%20b", "/sub//x", "//sub/x", "//x")] == \
        ["no", "no", "no", "no", "no", "sub", "sub", "rest"]
    assert curl.ask(net.client, "/sub//../deny").status == 400


def test_pattern_is_not_let_run(serve, net, sluice):
    serve(told("bad", path_regex=["^/(a+)+$"]), told("rest", path_prefix=["/"]))
    assert curl.ask(net.client, "/" + "a" * 3000 + "!").status == 400
    assert curl.ask(net.client, "/a!").body == b"rest"


def test_values_decide_where_paths_do_not(serve):
    ask = serve(told("header", headers=[{"name": "X-Env", "value": ["test", "beta"]}]),
                told("query", query=[{"name": "lang", "prefix": "de"}]),
                told("cookie", cookies=[{"name": "group", "regex": "^[ab]$"}]),
                told("both", headers=["X-Env"], query=["lang"]),
                told("bare", headers=[{"name": "User-Agent", "absent": True}]),
                told("rest", source=["0.0.0.0/0"]))
    assert ask("/", "-H", "X-Env: beta") == "header"
    assert ask("/?x&lang=de%2DAT") == "query"
    assert ask("/?lang=en", "-H", "Cookie: x=1; group=b") == "cookie"
    assert ask("/?lang=de", "-H", "X-Env: beta") == "both"
    assert ask("/", "-H", "User-Agent:") == "bare"
    assert ask("/?lang=en", "-H", "Cookie: group=c", "-H", "X-Env: live") == "both"
    assert ask("/?lang=en") == "rest"


def test_certificate_of_the_client(serve, tmp_path, net):
    authority = Authority(tmp_path)
    server, alice, bob = (authority.issue(name) for name in ("www.example", "alice", "bob"))
    tls = {"certificates": [{"cert": str(server.cert), "key": str(server.key)}],
           "client_auth": {"mode": "optional", "ca": str(authority.cert)}}
    ask = serve(told("alice", certificate={"subject": ["CN=alice"]}),
                told("bob", certificate={"fingerprint": [fingerprint(bob)]}),
                told("nobody", certificate={"verified": False}), scheme="https", tls=tls)

    def as_(who):
        return ask("/", "--insecure", "--cert", who.cert, "--key", who.key)
    assert (as_(alice), as_(bob), ask("/", "--insecure")) == ("alice", "bob", "nobody")


def test_ten_thousand_routes(serve):
    routes = [told(str(i), host=[f"h{i // 10}.example"], path_prefix=[f"/p{i % 10}"])
              for i in range(10_000)]
    ask = serve(*routes)
    for i in (0, 4711, 9999):
        assert ask(f"/p{i % 10}/x", "-H", f"Host: h{i // 10}.example") == str(i)
