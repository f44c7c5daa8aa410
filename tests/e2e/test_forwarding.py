# SPDX-License-Identifier: Apache-2.0
"""What backends learn of the client, and whose word is taken for it."""
import json
import re
import socket

import pytest

from lib import curl
from lib.configs import listener, pool
from lib.netns import BACKEND, CLIENT
from lib.process import wait_until
from lib.web import Web, field

TRUSTED = {"trust": ["10.77.1.0/24", "192.0.2.0/24"]}


@pytest.fixture
def web(net, keep):
    return keep(Web(net.backend, (BACKEND, 7000)))


@pytest.fixture
def serve(net, sluice, web):
    def start(forwarding, **options):
        front = listener(mode="http", forwarding=forwarding, **options)
        sluice.start({"listeners": [front], "pools": [pool(web)],
                      "access_log": {"path": "stdout", "format": "json"}})
        return lambda *argv: curl.ask(net.client, "/", *argv)
    return start


def fields(*pairs):
    return [word for name, value in pairs for word in ("-H", f"{name}: {value}")]


def logged(sluice):
    wait_until(lambda: '"status"' in sluice.process.stdout(), 5, "a line in the access log")
    return json.loads(sluice.process.stdout().splitlines()[-1])


def test_who_is_not_trusted_is_not_believed(serve, sluice):
    got = serve({})(*fields(("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9"),
                            ("X-Forwarded-Proto", "https"), ("X-Real-IP", "203.0.113.9")))
    assert field(got, "x-forwarded-for") == CLIENT
    assert field(got, "x-forwarded-proto") == "http"
    assert field(got, "forwarded") is None and field(got, "x-real-ip") is None
    assert logged(sluice)["client"].startswith(CLIENT + ":")


def test_a_client_without_an_address_is_unknown(sluice, web, tmp_path):
    """RFC 7239 section 6.2; there is no other word for it in X-Forwarded-For either."""
    path = str(tmp_path / "in.sock")
    sluice.start({"listeners": [listener(bind=f"unix:{path}", mode="http",
                                         forwarding={"fields": "both"})], "pools": [pool(web)]})
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(path)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
    assert web.seen[-1].get("x-forwarded-for") == "unknown"
    assert web.seen[-1].get("forwarded") == "for=unknown;host=a;proto=http"


@pytest.mark.parametrize("believe", ["own", "both"])
@pytest.mark.parametrize("name, value", [
    ("X-Forwarded-For", "203.0.113.9, 198.51.100.7, 192.0.2.44"),
    ("Forwarded", 'for=203.0.113.9, For="198.51.100.7:4711";proto=https, for=192.0.2.44'),
])
def test_client_is_the_last_address_that_is_no_trusted_proxy(serve, sluice, name, value, believe):
    own = "forwarded" if name == "Forwarded" else "x_forwarded"
    got = serve({**TRUSTED, "believe": own if believe == "own" else "both"})(*fields((name, value)))
    assert logged(sluice)["client"].rsplit(":", 1)[0] == "198.51.100.7"
    assert field(got, name.lower()).startswith(value)
    assert field(got, "x-forwarded-for").endswith(CLIENT)


@pytest.mark.parametrize("believe, kept, gone", [
    (None, "x-forwarded-for", "forwarded"), ("x_forwarded", "x-forwarded-for", "forwarded"),
    ("forwarded", "forwarded", "x-forwarded-for")])
def test_what_a_trusted_proxy_lets_pass_is_not_believed(serve, sluice, believe, kept, gone):
    """It writes one kind of field; of the other, each is its client's own."""
    forged = {"forwarded": "for=203.0.113.9;proto=https", "x-forwarded-for": "203.0.113.9"}
    written = {"forwarded": "for=198.51.100.7", "x-forwarded-for": "198.51.100.7"}
    ask = serve({**TRUSTED, "fields": "off", **({"believe": believe} if believe else {})})
    got = ask(*fields((kept, written[kept]), (gone, forged[gone]),
                      (gone.replace("-", "_"), forged[gone])))
    assert logged(sluice)["client"].rsplit(":", 1)[0] == "198.51.100.7"
    assert field(got, kept) == written[kept]
    assert field(got, gone) is None and field(got, "x_forwarded_for") is None


def test_what_cgi_would_take_for_a_field_of_ours_does_not_go_on(serve, web):
    """Not even from who is trusted: it may let pass what a client wrote."""
    ask = serve({**TRUSTED, "request_id": "X-Correlation"})
    forged = ["Content_Length", "TRANSFER_ENCODING", "X_Forwarded_For", "Client_Cert", "X_Correlation", "x-Forwarded_proto"]
    got = ask(*fields(*((name, "7") for name in [*forged, "X_Mine"])))
    assert not {name.lower() for name in forged} & {name for name, _ in web.seen[-1].fields}
    assert field(got, "x_mine") == "7" and len(field(got, "x-correlation")) == 32


def test_unreadable_element_hides_what_stands_before_it(serve, sluice):
    serve(TRUSTED)(*fields(("X-Forwarded-For", "203.0.113.9, nonsense, 192.0.2.44")))
    assert logged(sluice)["client"].rsplit(":", 1)[0] == "192.0.2.44"


@pytest.mark.parametrize("name, written", [
    ("X-Forwarded-For", "{}, 198.51.100.7"),
    ("Forwarded", 'for={}, for="198.51.100.7:4711";proto=https')])
@pytest.mark.parametrize("forged", ['"', '"192.0.2.44', '192.0.2.44, "\\'])
def test_quotes_of_a_client_hide_nothing_behind_them(serve, sluice, name, written, forged):
    """What a trusted proxy appended is read, whatever it was appended to."""
    ask = serve({**TRUSTED, "believe": "forwarded" if name == "Forwarded" else "x_forwarded",
                 "fields": "off"},
                routes=[{"match": {"source": TRUSTED["trust"]}, "deny": 403}])
    assert ask(*fields((name, written.format(forged)))).status == 200
    assert logged(sluice)["client"].rsplit(":", 1)[0] == "198.51.100.7"


def test_routes_go_by_the_client_and_redirects_by_its_scheme(serve):
    ask = serve(TRUSTED, routes=[{"match": {"source": ["198.51.100.0/24"]},
                                  "redirect": {"path": "/there"}}])
    told = fields(("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-Proto", "https"))
    assert ask(*told).get("location").startswith("https://")
    assert ask(*fields(("X-Forwarded-For", "203.0.113.9"))).status == 200


@pytest.mark.parametrize("forwarded, scheme", [
    ("for=203.0.113.9;proto=https, for=198.51.100.7;proto=http", "http"),
    ("for=203.0.113.9;proto=http, for=198.51.100.7;proto=https, for=192.0.2.44;proto=http", "https"),
    ("for=203.0.113.9;proto=https, for=198.51.100.7", "http")])
def test_scheme_is_told_by_who_saw_the_client(serve, forwarded, scheme):
    """What stands before its address it may have written itself."""
    ask = serve({**TRUSTED, "believe": "forwarded"},
                routes=[{"match": {"path_prefix": "/"}, "redirect": {"status": 302, "host": "x"}}])
    assert ask(*fields(("Forwarded", forwarded))).get("location").startswith(f"{scheme}://")


@pytest.mark.parametrize("which, x_for, forwarded", [
    ("x_forwarded", CLIENT, None),
    ("forwarded", None, f"for={CLIENT};host=10.77.1.1:8000;proto=http"),
    ("both", CLIENT, f"for={CLIENT};host=10.77.1.1:8000;proto=http"),
    ("off", None, None),
])
def test_fields_are_those_that_are_wanted(serve, which, x_for, forwarded):
    got = serve({"fields": which})()
    assert field(got, "x-forwarded-for") == x_for
    assert (field(got, "forwarded") or "").replace('"', "") == (forwarded or "")


@pytest.mark.parametrize("trust, given, is_kept", [
    (["10.77.1.0/24"], "abc-123", True),
    (["10.77.1.0/24"], 'a"b', False),
    (["10.77.1.0/24"], "x" * 129, False),
    ([], "abc-123", False),
])
def test_request_id_goes_on_and_is_logged(serve, sluice, trust, given, is_kept):
    forwarding = {"request_id": "X-Request-ID", **({"trust": trust} if trust else {})}
    got = field(serve(forwarding)(*fields(("X-Request-ID", given))), "x-request-id")
    assert got == given if is_kept else re.fullmatch("[0-9a-f]{32}", got)
    assert logged(sluice)["request_id"] == got
