# SPDX-License-Identifier: Apache-2.0
"""Filters of mode http: headers, and what all of them have in common."""
import hashlib
import json
import re
import ssl

import pytest

from lib import curl
from lib.configs import listener, pool
from lib.netns import BACKEND, CLIENT
from lib.pki import Authority
from lib.process import wait_until
from lib.web import Client, Web, answer, body_of, field, said


@pytest.fixture
def web(net, keep):
    return keep(Web(net.backend, (BACKEND, 7000)))


def config(web, filters, routes=None, **options):
    front = listener(mode="http", filters=filters, **options)
    if routes:
        front["routes"] = routes
        del front["pool"]
    return {"listeners": [front], "pools": [pool(web)]}


def fields(**values):
    return [{"name": name.replace("_", "-"), "value": value} for name, value in values.items()]


# --- headers ----------------------------------------------------------------------
def test_request_fields_are_removed_set_and_added(net, sluice, web):
    sluice.start(config(web, [{"headers": {"request": {
        "remove": ["X-Gone"],
        "set": fields(X_Client="${client_ip}", X_Seen="${method} ${path}?${query} ${host}",
                      X_Agent="${header:User-Agent}", X_Cookie="${cookie:b}",
                      X_Tls="${tls_version}", X_Id="${request_id}"),
        "add": fields(X_Multi="2")}}}]))
    with Client(net) as client:
        got = client.ask("/a/../b?c=d", host="WWW.Example:80", fields=[
            ("X-Gone", "1"), ("X-Client", "forged"), ("X-Client", "twice"), ("X-Tls", "forged"),
            ("User-Agent", "me"), ("Cookie", "a=1; b=2"), ("X-Multi", "1")])
    assert field(got, "x-gone") is None
    assert field(got, "x-client") == CLIENT
    assert field(got, "x-seen") == "GET /b?c=d www.example"
    assert field(got, "x-agent") == "me"
    assert field(got, "x-cookie") == "2"
    assert field(got, "x-tls") is None
    assert re.fullmatch("[0-9a-f]{32}", field(got, "x-id"))
    assert [v for k, v in said(got)["fields"] if k == "x-multi"] == ["1", "2"]


@pytest.mark.parametrize("extension", [b"", b";x=y"])
def test_trailers_do_not_say_what_filters_decide(net, sluice, web, keep, extension):
    shadow = keep(Web(net.backend, (BACKEND, 7001)))
    both = {"remove": ["X-Gone"], "set": fields(X_User="-")}
    front = listener(mode="http", filters=[{"headers": {"request": both, "response": both}}],
                     forwarding={"request_id": "X-Id"}, routes=[{"match": {"path": "/t"}, "mirror": "shadow", "pool": "main"}])
    sluice.start({"listeners": [front], "pools": [pool(web), pool(shadow, name="shadow")]})
    sent = (b"5" + extension + b"\r\nhello\r\n0\r\nX-User: forged\r\nX-Sum: 1\r\nx-gone: 1\r\nX_USER: forged\r\n"
            b"X-Id: 7\r\nAuthorization: x\r\nContent_Type: x\r\nConnection: x\r\n\r\n")
    web.on("/t", lambda sock, _message: sock.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + sent))
    with Client(net) as client:
        for _ in range(2):
            client.send(b"POST /t HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n" + sent)
            got = client.answer()
            assert (got.body, got.trailers) == (b"hello", [("x-sum", "1"), ("x_user", "forged"), ("x-id", "7")])
    wait_until(lambda: len(shadow.seen) == 2, 5, "the copies")
    assert [m.trailers for m in web.seen + shadow.seen] == [[("x-sum", "1")]] * 4


def test_backends_and_the_log_learn_of_a_clients_certificate(net, sluice, web, tmp_path):
    authority = Authority(tmp_path)
    server, alice = authority.issue("www.example"), authority.issue("alice")
    end = "-----END CERTIFICATE-----"
    der = ssl.PEM_cert_to_DER_cert(alice.cert.read_text().split(end)[0] + end)
    log = tmp_path / "access.log"
    made = config(web, [{"headers": {"request": {"set": fields(
        X_Subject="${tls_client_subject}", X_Print="${tls_client_fingerprint}")}}}],
        tls={"certificates": [server.row()],
             "client_auth": {"mode": "optional", "ca": str(authority.cert)}})
    made["access_log"] = {"path": str(log), "template": "${tls_client_subject} ${tls_client_fingerprint}"}
    sluice.start(made)
    forged = ["--insecure", "-H", "X-Subject: CN=root", "-H", "X-Print: 00"]

    def told(*argv):
        got = curl.ask(net.client, "/", *forged, *argv, scheme="https")
        return field(got, "x-subject"), field(got, "x-print")
    known = ("CN=alice", hashlib.sha256(der).hexdigest())
    assert told("--cert", alice.cert, "--key", alice.key) == known
    assert told() == (None, None)
    wait_until(lambda: log.read_text().splitlines() == [" ".join(known), "- -"])


def test_response_fields_too_also_on_pages_of_our_own(net, sluice, web):
    sluice.start(config(web, [{"headers": {"response": {
        "remove": ["Server"], "set": fields(X_Status="${status}", X_Id="${request_id}")}}}]))
    web.on("/own", lambda sock, _: answer(sock, b"x", fields=["Server: secret", "X-Id: old"]))
    web.on("/broken", lambda sock, _: False)
    with Client(net) as client:
        got = client.ask("/own")
        assert got.get("server") is None and got.get("x-status") == "200"
        assert re.fullmatch("[0-9a-f]{32}", got.get("x-id"))
        other = client.ask("/own").get("x-id")
        assert other != got.get("x-id")
    with Client(net) as client:
        got = client.ask("/broken")
        assert got.status == 502 and got.get("x-status") == "502"


def test_forwarding_fields_can_be_overridden(net, sluice, web):
    sluice.start(config(web, [{"headers": {"request": {"set": fields(
        X_Forwarded_For="${header:X-Real}", Host="inner.example")}}}]))
    with Client(net) as client:
        got = client.ask(fields=[("X-Real", "192.0.2.7")])
    assert field(got, "x-forwarded-for") == "192.0.2.7"
    assert field(got, "host") == "inner.example"


# --- Order and place ----------------------------------------------------------------
def test_first_filter_sees_the_request_first_and_the_answer_last(net, sluice, web):
    def step(name):
        return {"headers": {"request": {"set": fields(X_Way="${header:X-Way}" + name)},
                            "response": {"set": fields(X_Way="${response_header:X-Way}" + name)}}}
    sluice.start(config(web, [step("a"), step("b")], routes=[
        {"match": {"path_prefix": "/more"}, "pool": "main", "filters": [step("c")]},
        {"pool": "main"}]))
    with Client(net) as client:
        got = client.ask("/plain")
        assert field(got, "x-way") == "ab" and got.get("x-way") == "ba"
        got = client.ask("/more")
        assert field(got, "x-way") == "abc" and got.get("x-way") == "cba"


def test_filters_see_requests_without_a_route(net, sluice, web):
    sluice.start(config(web, [{"headers": {"response": {"set": fields(X_Seen="yes")}}}],
                        routes=[{"match": {"path": "/only"}, "pool": "main"}]))
    with Client(net) as client:
        got = client.ask("/else")
        assert got.status == 404 and got.get("x-seen") == "yes"


def test_answers_of_routes_keep_what_they_say(net, sluice, web):
    filters = [{"headers": {"response": {"set": fields(X_Seen="yes")}}}, "compression"]
    sluice.start(config(web, filters, routes=[
        {"match": {"path": "/gone"}, "respond": {"status": 410}},
        {"match": {"path": "/text"}, "respond": {"status": 200, "body": "words " * 1000}},
        {"match": {"path": "/else"}, "redirect": {"path": "/there"}},
        {"pool": "main"}]))
    with Client(net) as client:
        for path, status, body in (("/gone", 410, b""), ("/text", 200, b"words " * 1000),
                                   ("/else", 302, b"")):
            got = client.ask(path, fields=[("Accept-Encoding", "gzip")])
            assert (got.status, got.body, got.get("x-seen")) == (status, body, "yes"), path


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_bodies_pass_as_without_filters(net, sluice, web, size):
    sluice.start(config(web, [{"headers": {"response": {"set": fields(X_A="b")}}}]))
    with Client(net) as client:
        for how in ("", "/chunked"):
            assert client.ask(f"/size/{size}{how}").body == body_of(size)
        assert client.ask("/", "POST", body=body_of(max(size, 1))).status == 200


# --- access, limits, cors ---------------------------------------------------------------
def test_clients_are_let_in_by_network(net, sluice, web):
    sluice.start(config(web, [{"access": {"deny": f"{CLIENT}/32"}}], routes=[
        {"match": {"path": "/open"}, "pool": "main"}, {"pool": "main"}]))
    with Client(net) as client:
        got = client.ask("/open")
        assert got.status == 403 and b"403" in got.body
        # The connection goes on.
        assert client.ask("/", "HEAD").status == 403
    assert web.seen == []


def test_an_answer_of_a_filter_is_logged_with_its_name(net, sluice, web, tmp_path):
    log = tmp_path / "access.log"
    sluice.start(config(web, [{"access": {"deny": f"{CLIENT}/32"}}]) |
                 {"access_log": {"path": str(log), "format": "json"}})
    with Client(net) as client:
        assert client.ask("/").status == 403
    wait_until(lambda: log.exists() and log.read_text(), 15, "a line")
    line = json.loads(log.read_text().splitlines()[0])
    assert line["end"] == "filtered" and line["detail"] == "access" and line["status"] == 403


@pytest.mark.parametrize("fields", [[("Content-Length", "11")], [("Transfer-Encoding", "chunked")]])
def test_bodies_above_the_limit_are_refused(net, sluice, web, fields):
    sluice.start(config(web, [{"limits": {"max_body": 10}}]))
    body = b"b\r\n01234567890\r\n0\r\n\r\n" if "chunked" in fields[0] else b"01234567890"
    with Client(net) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\n%s: %s\r\n\r\n" %
                    tuple(part.encode() for part in fields[0]) + body)
        assert client.answer().status == 413
    with Client(net) as client:
        assert client.ask("/", "POST", body=b"0123456789").status == 200


def test_a_preflight_does_not_reach_the_pool(net, sluice, web):
    sluice.start(config(web, [{"cors": {"origins": ["https://app.example"]}}, "compression"]))
    fields = [("Origin", "https://app.example")]
    with Client(net) as client:
        client.send(b"OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\n"
                    b"Access-Control-Request-Method: POST\r\n\r\n")
        got = client.answer(is_bodiless=True)
        assert got.status == 204 and got.get("access-control-allow-methods") == "GET, HEAD, POST"
        assert got.get("content-length") is None and web.seen == []
        got = client.ask("/", fields=fields)
        assert got.get("access-control-allow-origin") == "https://app.example"
        assert len(web.seen) == 1
    # Pages of our own say so too, or scripts could not read them.
    web.on("/broken", lambda sock, _: False)
    with Client(net) as client:
        got = client.ask("/broken", fields=fields)
        assert got.status == 502
        assert got.get("access-control-allow-origin") == "https://app.example"


# --- rate_limit ---------------------------------------------------------------------------
def test_workers_count_together(net, sluice, web):
    sluice.start(config(web, [{"rate_limit": {"requests": 10, "per": "1h"}}]) | {"workers": 4})
    statuses = []
    for _ in range(15):
        with Client(net) as client:
            statuses.append(client.ask("/").status)
    assert statuses == [200] * 10 + [429] * 5
    with Client(net) as client:
        got = client.ask("/")
        assert got.status == 429 and 0 < int(got.get("retry-after")) <= 360
        assert got.get("ratelimit-policy") == '"default";q=10;w=3600'
        assert got.get("ratelimit").startswith('"default";r=0;t=')
    assert len(web.seen) == 10


def test_a_listener_counts_for_all_its_routes(net, sluice, web):
    sluice.start(config(web, [{"rate_limit": {"requests": 3, "per": "1h"}}], routes=[
        {"match": {"path": "/a"}, "pool": "main", "filters": ["headers"]},
        {"match": {"path": "/b"}, "pool": "main", "filters": ["headers", "headers"]},
        {"pool": "main"}]))
    with Client(net) as client:
        statuses = [client.ask(path).status for path in ("/a", "/b", "/", "/a", "/b", "/")]
    assert statuses == [200] * 3 + [429] * 3


def test_a_route_may_be_limited_more(net, sluice, web):
    sluice.start(config(web, [{"rate_limit": {"requests": 1000, "per": "1h"}}], routes=[
        {"match": {"path": "/login"}, "pool": "main", "filters": [
            {"rate_limit": {"requests": 1, "per": "1h", "fields": False}}]},
        {"pool": "main"}]))
    with Client(net) as client:
        assert [client.ask("/login").status for _ in range(2)] == [200, 429]
        assert client.ask("/").status == 200


ONE = {"requests": 2, "per": "1h"}


def limited(web, *routes, **options):
    return config(web, [{"rate_limit": {**ONE, **options}}],
                  routes=[*({"pool": "main", **route} for route in routes), {"pool": "main"}])


def limited_route(path, **more):
    return {"match": {"path": path}, "filters": [{"rate_limit": {"requests": 1, "per": "1h"}}], **more}


def test_buckets_outlive_a_reload(net, sluice, web):
    sluice.start(limited(web))
    with Client(net) as client:
        assert client.ask("/").status == 200
        # What is counted by connections of before counts for those after, and the other way round.
        for changed in ({}, {"status": 503}, {"ban_after": 5}):
            sluice.reload(limited(web, **changed))
            with Client(net) as other:
                other.ask("/")
                got = other.ask("/")
                assert (got.status, client.ask("/").status) == (changed.get("status", 429), 429)
        sluice.reload(limited(web, burst=3))
        with Client(net) as other:
            assert [other.ask("/").status for _ in range(4)] == [200] * 3 + [429]


def test_routes_keep_their_buckets_by_name_or_place(net, sluice, web):
    named, plain = limited_route("/named", name="n"), limited_route("/plain")

    def asked():
        with Client(net) as client:
            return [client.ask(path).status for path in ("/named", "/plain")]

    def front(*routes):
        return config(web, [], routes=[*({"pool": "main", **route} for route in routes),
                                       {"pool": "main"}])

    sluice.start(front(named, plain))
    assert asked() == [200, 200]
    sluice.reload(front(named, plain))
    assert asked() == [429, 429]
    # Another place is another route, unless it has a name.
    sluice.reload(front(limited_route("/new"), plain, named))
    assert asked() == [429, 200]
    with Client(net) as client:
        assert client.ask("/new").status == 200


def test_a_reload_that_fails_changes_no_bucket(net, sluice, web):
    sluice.start(limited(web))
    with Client(net) as client:
        assert client.ask("/").status == 200
        broken = limited(web)
        broken["listeners"].append(listener(mode="tcp", name="other", bind=["192.0.2.77:9"]))
        sluice.write(broken)
        assert sluice.ctl("reload", check=False).returncode != 0
        assert [client.ask("/").status for _ in range(2)] == [200, 429]


# --- basic_auth ---------------------------------------------------------------------------
# "secret", by bcrypt of cost 4 and by sha512-crypt.
HTPASSWD = r"""# users
ann:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW
bob:$6$rounds=1000$salt$HNxBeBnDfSfUrTj6KiLnmd7tGCvHEmcExh8kl/S0cZ5WrCciNZgfhbpkeFQ4JfkHX.8vPq45lY0iINnCx1Lkm.
"""


@pytest.fixture
def htpasswd(sluice):
    sluice.config_path.with_name("htpasswd").write_text(HTPASSWD)
    return "htpasswd"


def test_curl_logs_in(net, sluice, web, htpasswd):
    sluice.start(config(web, [{"basic_auth": {"file": htpasswd, "realm": "the lab"}},
                              {"headers": {"request": {"set": fields(X_User="${user}")}}}]))
    got = curl.ask(net.client, "/")
    assert got.status == 401
    assert got.get("www-authenticate") == 'Basic realm="the lab", charset="UTF-8"'
    for user in ("ann", "bob", "ann"):
        got = curl.ask(net.client, "/", "-u", f"{user}:secret")
        assert got.status == 200
        assert field(got, "x-user") == user and field(got, "authorization") is None
    assert curl.ask(net.client, "/", "-u", "ann:wrong").status == 401
    assert curl.ask(net.client, "/", "-u", "eve:secret").status == 401
    assert len(web.seen) == 3


def test_a_body_waits_for_the_password(net, sluice, web, htpasswd):
    sluice.start(config(web, [{"basic_auth": {"file": htpasswd}}]))
    body = body_of(3_000_000)
    with Client(net) as client:
        got = client.ask("/", "POST", body=body,
                         fields=[("Authorization", "Basic Ym9iOnNlY3JldA==")])
        assert got.status == 200 and said(got)["length"] == len(body)
        # Pipelined requests of which each waits come back in order.
        client.send(b"".join(
            b"GET /%d HTTP/1.1\r\nHost: a\r\nAuthorization: Basic %s\r\n\r\n" % (i, who)
            for i, who in enumerate([b"YW5uOnNlY3JldA==", b"YW5uOndyb25n", b"Ym9iOnNlY3JldA=="])))
        assert [client.answer().status for _ in range(3)] == [200, 401, 200]


def test_who_leaves_while_the_password_is_verified_leaves_nothing(net, sluice, web, htpasswd):
    sluice.start(config(web, [{"basic_auth": {"file": htpasswd}}]))
    for _ in range(20):
        with Client(net) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic Ym9iOndyb25n\r\n\r\n")
    wait_until(lambda: sluice.active() == 0, 15, "all are gone")
    assert curl.ask(net.client, "/", "-u", "ann:secret").status == 200


def test_a_bad_file_of_users_is_an_error_of_the_configuration(sluice, web):
    sluice.config_path.with_name("htpasswd").write_text("ann:{SHA}VnU5g\n")
    sluice.write(config(web, [{"basic_auth": {"file": "htpasswd"}}]))
    done = sluice.check()
    assert done.returncode != 0
    assert '"htpasswd": line 1 has no hash that crypt(3) knows; expected' in done.stderr


def test_a_reload_reads_the_users_anew(net, sluice, web, htpasswd):
    settings = config(web, [{"basic_auth": {"file": htpasswd}}])
    sluice.start(settings)
    assert curl.ask(net.client, "/", "-u", "ann:secret").status == 200
    sluice.config_path.with_name("htpasswd").write_text(HTPASSWD.replace("ann:", "amy:"))
    sluice.reload(settings)
    assert curl.ask(net.client, "/", "-u", "ann:secret").status == 401
    assert curl.ask(net.client, "/", "-u", "amy:secret").status == 200
