# SPDX-License-Identifier: Apache-2.0
"""What is told of clients' certificates, and to whom: backends, routes, sluicectl."""
import base64
import ssl
import subprocess

import pytest

from lib import curl
from lib.configs import FRONT, simple
from lib.netns import BACKEND
from lib.pki import Authority
from lib.web import Reader, Web, read_message, said

FORGED = ["Client-Cert", "client_cert", "Client-Cert-Chain", "Client_Cert-Chain"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("pki"))
    made.server = made.issue("www.example")
    made.alice = made.issue("alice", "Alice.Example", "spiffe://example/alice", "alice@example.org")
    made.between = Authority(made.directory, "between", parent=made)
    made.bob = made.between.issue("bob")
    return made


@pytest.fixture
def web(net, keep):
    return keep(Web(net.backend, (BACKEND, 7000)))


def config(web, authority, **options):
    return simple(web.text, listener_options={"mode": "http", **options, "tls": {
        "certificates": [authority.server.row()],
        "client_auth": {"mode": "optional", "ca": str(authority.cert)}}})


def shown(certificate):
    return ["--cert", certificate.cert, "--key", certificate.key] if certificate else []


def ask(net, certificate, *argv):
    return curl.ask(net.client, "/", "--insecure", *shown(certificate), *argv, scheme="https")


def fields_of(answer):
    return {name.lower(): value for name, value in said(answer)["fields"]}


def der_of(path, index=0):
    end = "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(path.read_text().split(end)[index].strip() + "\n" + end)


def bytes_field(der):
    return f":{base64.b64encode(der).decode()}:"


def x509(certificate, *options):
    done = subprocess.run(["openssl", "x509", "-noout", *options, "-in", certificate.cert],
                          check=True, capture_output=True, text=True)
    return done.stdout.strip().split("=", 1)[1]


def test_variables_have_what_it_says(net, sluice, web, authority):
    names = ("issuer", "serial", "not_before", "not_after", "dns", "uri", "email")
    rows = [{"name": f"X-{name}", "value": f"${{tls_client_{name}}}"} for name in names]
    sluice.start(config(web, authority, filters=[{"headers": {"request": {"set": rows}}}]))
    got = fields_of(ask(net, authority.alice, "-H", "X-Dns: forged"))
    iso = ["-dateopt", "iso_8601"]
    assert [got[f"x-{name}"] for name in names] == [
        "CN=ca", x509(authority.alice, "-serial").lower(),
        x509(authority.alice, "-startdate", *iso).replace(" ", "T"),
        x509(authority.alice, "-enddate", *iso).replace(" ", "T"),
        "alice alice.example", "spiffe://example/alice", "alice@example.org"]
    assert not any(f"x-{name}" in fields_of(ask(net, None, "-H", "X-Dns: forged")) for name in names)


@pytest.mark.parametrize("how", ["off", "leaf", "chain"])
def test_backends_get_client_cert_where_asked_for_and_no_forged_one(net, sluice, web, authority, how):
    sluice.start(config(web, authority, forwarding={"client_cert": how, "trust": ["0.0.0.0/0"]}))
    forged = [word for name in FORGED for word in ("-H", f"{name}: :AAAA:")]

    def told(certificate):
        got = said(ask(net, certificate, *forged))["fields"]
        return [(name.lower(), value) for name, value in got
                if name.replace("_", "-").lower().startswith("client-cert")]
    assert told(None) == []
    leaf = [("client-cert", bytes_field(der_of(authority.bob.cert)))] if how != "off" else []
    chain = [("client-cert-chain", bytes_field(der_of(authority.between.cert)))] if how == "chain" else []
    assert told(authority.bob) == leaf + chain
    alone = told(authority.alice)
    assert [name for name, _ in alone] == [name for name, _ in leaf]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_session_that_is_resumed_has_the_chain_too(net, sluice, web, authority, version):
    """The second one resumes a ticket that a resumption was given, where there is one."""
    sluice.start(config(web, authority, forwarding={"client_cert": "chain"}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.cert)
    context.load_cert_chain(authority.bob.cert, authority.bob.key)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    session, told = None, []
    for is_resumed in (False, True, True):
        with context.wrap_socket(net.client.connect(FRONT), server_hostname="www.example",
                                 session=session) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: www.example\r\n\r\n")
            fields = dict(said(read_message(Reader(sock)))["fields"])
            told.append((fields["client-cert"], fields["client-cert-chain"]))
            assert sock.session_reused == is_resumed
            session = sock.session
    assert told[0] == (bytes_field(der_of(authority.bob.cert)),
                       bytes_field(der_of(authority.between.cert)))
    assert told[1] == told[2] == told[0]


def test_routes_match_on_all_of_it(net, sluice, web, authority):
    def told(name, **certificate):
        return {"match": {"path": [f"/{name}"], "certificate": certificate}, "respond": {"body": name}}
    sluice.start(config(web, authority, routes=[
        told("issuer", issuer=["CN=ca"]), told("serial", serial=[x509(authority.alice, "-serial")]),
        told("dns", dns=["*.example"]), told("uri", uri=["spiffe://example/alice"]),
        told("regex", uri_regex="^spiffe://[^/]+/alice$"), told("email", email=["alice@example.org"]),
        told("issuer_regex", issuer_regex="^CN=c"), {"match": {"path_prefix": ["/"]}, "respond": {"body": "no"}}]))

    def body(certificate, path):
        return curl.ask(net.client, path, "--insecure", *shown(certificate), scheme="https").body.decode()
    for name in ("issuer", "serial", "dns", "uri", "regex", "email", "issuer_regex"):
        assert [body(who, f"/{name}") for who in (authority.alice, authority.bob, None)] == [name, "no", "no"]


def test_sluicectl_shows_whose_connection_it_is(net, sluice, web, authority):
    sluice.start(config(web, authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.cert)
    context.load_cert_chain(authority.alice.cert, authority.alice.key)
    with context.wrap_socket(net.client.connect(FRONT), server_hostname="www.example") as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: www.example\r\n\r\n")
        assert sock.recv(100)
        row = sluice.connections()[0]
        assert (row["tls_client"], row["tls_resumed"]) == ("CN=alice", False)
        table = sluice.ctl("connections")
        assert all(text in table for text in ("CN=alice", "www.example", sock.cipher()[0], "TLSv1.3"))
