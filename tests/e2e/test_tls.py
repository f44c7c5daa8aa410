# SPDX-License-Identifier: Apache-2.0
"""TLS with clients and endpoints that are not ours: openssl, curl, Python's ssl, nginx."""
import fcntl
import itertools
import json
import os
import socket
import ssl
import subprocess
import threading
import time

import pytest

from lib import origins
from lib.configs import FRONT, listener, pool, simple
from lib.netns import BACKEND, PROXY
from lib.pki import Authority
from lib.process import Process, can_connect, wait_until

ORIGIN = (BACKEND, 7000)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("pki"))
    made.first = made.issue("first.test")
    made.first_rsa = made.issue("first.test", rsa=True)
    made.shop = made.issue("*.shop.test", label="shop")
    made.exact = made.issue("www.shop.test")
    made.client = made.issue("client.test")
    made.revoked = made.issue("revoked.test")
    made.revoke(made.revoked)
    made.lists = made.crl()
    return made


@pytest.fixture
def origin(named_origin):
    return named_origin("a", ORIGIN)


def tls_config(authority, origin, *certificates, **tls):
    rows = [c.row() for c in certificates or [authority.first]]
    return simple(origin, listener_options={"tls": {"certificates": rows, **tls}})


def context(authority, certificate=None, versions=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(authority.cert)
    if certificate:
        made.load_cert_chain(certificate.cert, certificate.key)
    if versions:
        made.minimum_version = made.maximum_version = versions
    return made


def connect(net, authority, name="first.test", **options):
    sock = net.client.connect(FRONT)
    sock.settimeout(10)
    return context(authority, **options).wrap_socket(sock, server_hostname=name)


def names_of(sock):
    return [value for _, value in sock.getpeercert()["subjectAltName"]]


def handshakes(sluice):
    return sluice.listeners()["front"]["tls"]


# --- Versions, names, keys ----------------------------------------------------
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_bytes_both_ways(net, sluice, authority, origin, version):
    sluice.start(tls_config(authority, origin))
    with connect(net, authority, versions=version) as sock:
        assert sock.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[version]
        assert origins.read_line(sock) == "a"
        sock.sendall(b"hello\n")
        assert origins.read_line(sock) == "hello"
        row = sluice.connections()[0]
        assert (row["tls_version"], row["sni"]) == (sock.version(), "first.test")
        assert row["tls_cipher"] == sock.cipher()[0]
    assert handshakes(sluice)["full"] == 1


@pytest.mark.parametrize("name,expected", [
    ("first.test", "first.test"), ("www.shop.test", "www.shop.test"),
    ("WWW.SHOP.TEST", "www.shop.test"), ("api.shop.test", "*.shop.test")])
def test_certificate_follows_the_name(net, sluice, authority, origin, name, expected):
    sluice.start(tls_config(authority, origin, authority.first, authority.shop, authority.exact))
    with connect(net, authority, name) as sock:
        assert names_of(sock) == [expected]


def test_an_unknown_name_gets_the_first_certificate(net, sluice, authority, origin):
    sluice.start(tls_config(authority, origin, authority.first, authority.shop))
    for options in ([], ["-servername", "elsewhere.example"]):
        assert "CN = first.test" in origins.s_client(net.client, FRONT, *options)


def test_rsa_and_ecdsa_side_by_side(net, sluice, authority, origin):
    sluice.start(tls_config(authority, origin, authority.first, authority.first_rsa))
    for algorithm, key in (("RSA-PSS+SHA256", "rsaEncryption"), ("ECDSA+SHA256", "id-ecPublicKey")):
        text = origins.s_client(net.client, FRONT, "-servername", "first.test", "-sigalgs",
                                algorithm)
        assert f"a:PKEY: {key}" in text, text


@pytest.mark.parametrize("options,word", [
    (["-tls1"], "version"), (["-tls1_1"], "version"),
    (["-tls1_2", "-cipher", "AES128-SHA"], "no_cipher")])
def test_what_is_too_old_is_refused(net, sluice, authority, origin, options, word):
    sluice.start(tls_config(authority, origin))
    text = origins.s_client(net.client, FRONT, *options, "-cipher", "ALL:@SECLEVEL=0"
                            if "-cipher" not in options else "AES128-SHA:@SECLEVEL=0")
    assert "Cipher is (NONE)" in text or "alert" in text, text
    wait_until(lambda: handshakes(sluice)["failed"][word] == 1, 5, "the failure is counted")


def test_profile_modern_is_tls_1_3_alone(net, sluice, authority, origin):
    sluice.start(tls_config(authority, origin, profile="modern"))
    assert "Cipher is (NONE)" in origins.s_client(net.client, FRONT, "-tls1_2")
    assert "New, TLSv1.3" in origins.s_client(net.client, FRONT)


def test_alpn(net, sluice, authority, origin):
    sluice.start(tls_config(authority, origin, alpn=["h2", "http/1.1"]))
    assert "ALPN protocol: h2" in origins.s_client(net.client, FRONT, "-alpn", "http/1.1,h2")
    assert "ALPN protocol: http/1.1" in origins.s_client(net.client, FRONT, "-alpn", "http/1.1")
    assert "No ALPN negotiated" in origins.s_client(net.client, FRONT)
    assert "alert no application protocol" in origins.s_client(net.client, FRONT, "-alpn", "xyz")


def test_renegotiation_is_refused(net, sluice, authority, origin):
    sluice.start(tls_config(authority, origin))
    argv = net.client.command(["openssl", "s_client", "-tls1_2", "-connect", f"{PROXY}:8000"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as child:
        # Data in the midst of a renegotiation is an error of its own: the greeting is awaited first.
        text = "".join(itertools.takewhile(lambda line: line != "a\n", child.stdout))
        text += child.communicate("R\n", timeout=20)[0]
    assert "no renegotiation" in text, text
    assert handshakes(sluice)["full"] == 1


def test_routes_by_name_with_tls(net, sluice, authority, named_origin):
    one, two = named_origin("one", (BACKEND, 7001)), named_origin("two", (BACKEND, 7002))
    rows = [c.row() for c in (authority.first, authority.shop)]
    sluice.start({
        "listeners": [listener("one", tls={"certificates": rows},
                               routes=[{"match": {"sni": "*.shop.test"}, "pool": "two"}])],
        "pools": [pool(one, name="one"), pool(two, name="two")]})
    for name, expected in (("first.test", "one"), ("api.shop.test", "two")):
        with connect(net, authority, name) as sock:
            assert origins.read_line(sock) == expected


def test_curl_fetches_through_proxy_protocol_and_tls(net, sluice, authority, tmp_path, keep):
    backend = origins.nginx(net.backend, tmp_path, "server { listen 7000; return 200 served; }")
    keep(backend).wait_ready(lambda: can_connect(net.backend, ORIGIN))
    config = tls_config(authority, f"{BACKEND}:7000")
    config["listeners"][0]["proxy_protocol"] = {"accept": ["0.0.0.0/0"]}
    sluice.start(config)
    argv = ["curl", "-sS", "--haproxy-protocol", "--cacert", authority.cert, "--resolve",
            f"first.test:8000:{PROXY}", "https://first.test:8000/"]
    done = subprocess.run(net.client.command(argv), text=True, capture_output=True, timeout=20)
    assert done.stdout == "served", done.stderr


# --- Certificates of clients ----------------------------------------------------
@pytest.mark.parametrize("mode", ["optional", "required"])
@pytest.mark.parametrize("shown", [None, "client", "revoked"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificates(net, sluice, authority, origin, mode, shown, version):
    sluice.start(tls_config(authority, origin, client_auth={
        "mode": mode, "ca": str(authority.cert), "crl": str(authority.lists)}))
    certificate = getattr(authority, shown) if shown else None
    is_welcome = shown == "client" or (shown is None and mode == "optional")
    try:
        with connect(net, authority, certificate=certificate, versions=version) as sock:
            assert origins.read_line(sock) == "a" and is_welcome
    except OSError as error:
        assert not is_welcome, error
    count = handshakes(sluice)
    assert (count["full"], count["failed"]["certificate"]) == ((1, 0) if is_welcome else (0, 1))


# --- Resumption -------------------------------------------------------------------
def resume(net, authority, tmp_path, version):
    """s_client twice with one session: whether the second was resumed."""
    file = tmp_path / "session"
    file.unlink(missing_ok=True)
    argv = ["openssl", "s_client", "-connect", f"{PROXY}:8000", f"-tls{version}", "-servername",
            "first.test", "-CAfile", str(authority.cert)]
    first = subprocess.Popen(net.client.command([*argv, "-sess_out", str(file)]), text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    if version == "1_3":
        wait_until(lambda: file.exists() and "-----END" in file.read_text(), 10,
                   "the ticket has come, behind the handshake")
    text = first.communicate("", timeout=20)[0]
    assert "New, TLSv1." in text, text
    return "Reused, TLSv1." in origins.s_client(net.client, FRONT, *argv[4:], "-sess_in", str(file))


@pytest.mark.parametrize("version", ["1_2", "1_3"])
def test_tickets_resume_on_any_worker_and_after_a_reload(net, sluice, authority, origin, tmp_path,
                                                         version):
    config = tls_config(authority, origin)
    sluice.start({**config, "workers": 4})
    for _ in range(4):
        assert resume(net, authority, tmp_path, version)
    assert handshakes(sluice)["resumed"] == 4
    sluice.reload({**config, "workers": 4, "drain_timeout": "11s"})
    assert resume(net, authority, tmp_path, version)


def test_without_tickets_nothing_is_resumed(net, sluice, authority, origin, tmp_path):
    sluice.start(tls_config(authority, origin, tickets=False))
    assert not resume(net, authority, tmp_path, "1_2")


def test_sessions_of_endpoints_are_resumed(net, sluice, authority, named_origin):
    origin = named_origin("a", ORIGIN)
    client = {"ca": str(authority.cert), "server_name": "first.test"}
    sluice.start({
        "workers": 1,
        "listeners": [listener("hop", name="front"),
                      listener("main", name="back", bind=[f"{PROXY}:8441"],
                               tls={"certificates": [authority.first.row()]})],
        "pools": [pool(f"{PROXY}:8441", name="hop", tls=client), pool(origin)]})
    for _ in range(6):
        with net.client.connect(FRONT) as sock:
            assert origins.read_line(sock) == "a"
    count = sluice.pools()["hop"]["tls"]
    assert (count["full"], count["resumed"]) == (1, 5)


# --- To endpoints -------------------------------------------------------------------
@pytest.fixture
def nginx_tls(net, authority, tmp_path, keep):
    """An nginx that speaks TLS, and asks for a client's certificate at port 7444."""
    def server(port, more=""):
        return (f"server {{ listen {port} ssl; "
                f"ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {authority.first.cert}; "
                f"ssl_certificate_key {authority.first.key}; {more} "
                f"location / {{ return 200 \"$ssl_protocol $ssl_server_name $ssl_client_verify\"; "
                f"}} }}")
    http = server(7443) + server(7444, f"ssl_verify_client on; "
                                       f"ssl_client_certificate {authority.cert};")
    process = origins.nginx(net.backend, tmp_path, http)
    return keep(process).wait_ready(lambda: can_connect(net.backend, (BACKEND, 7444)))


def fetch(net):
    with net.client.connect(FRONT) as sock:
        sock.settimeout(10)
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return origins.read_all(sock).partition(b"\r\n\r\n")[2].decode()


def test_endpoints_are_verified(net, sluice, authority, nginx_tls):
    def config(port=7443, **tls):
        return simple(f"{BACKEND}:{port}", tls=tls, connect_retries=0)
    good = {"ca": str(authority.cert), "server_name": "first.test"}
    sluice.start(config(**good))
    assert fetch(net) == "TLSv1.3 first.test NONE"
    for bad in ({}, {"ca": str(authority.cert)},
                {"ca": str(authority.cert), "server_name": "other.test"}):
        sluice.reload(config(**bad))
        with pytest.raises(ConnectionError):
            fetch(net)
    # The client has its RST before the worker has done with the connection.
    wait_until(lambda: sluice.listeners()["front"]["ends"]["backend_tls_failed"] == 3, 5, "three ends")
    assert sluice.pools()["main"]["tls"]["failed"]["certificate"] == 3
    sluice.reload(config(verify=False))
    assert fetch(net).startswith("TLSv1.3")
    sluice.reload(config(7444, **good, **authority.client.row()))
    assert fetch(net).endswith("SUCCESS")


@pytest.mark.parametrize("kind", ["tcp", "tls", "http"])
def test_health_checks_use_the_pools_tls(net, sluice, authority, nginx_tls, kind):
    tls = {"ca": str(authority.cert), "server_name": "first.test"}
    config = simple(f"{BACKEND}:7443", tls=tls, health={kind: {}, "interval": "100ms", "timeout": "100ms"})
    sluice.start(config)
    wait_until(lambda: sluice.endpoints("main")[f"{BACKEND}:7443"]["health"] == "up", 5, "up")
    config["pools"][0]["tls"]["server_name"] = "other.test"
    sluice.reload(config)
    wait_until(lambda: sluice.endpoints("main")[f"{BACKEND}:7443"]["health"] == "down", 5, "down")


# --- Faults -----------------------------------------------------------------------
def test_a_slow_handshake_ends_with_the_timeout(net, sluice, authority, origin):
    sluice.start(tls_config(authority, origin, handshake_timeout="300ms"))
    silent = [net.client.connect(FRONT) for _ in range(20)]
    started = time.monotonic()
    silent[0].sendall(b"\x16\x03\x01")
    for sock in silent:
        sock.settimeout(10)
        try:
            while sock.recv(1000):  # perhaps an alert
                pass
        except ConnectionError:
            pass
    assert time.monotonic() - started < 5
    assert handshakes(sluice)["failed"]["timeout"] == 20


def test_plain_http_is_refused_and_counted(net, sluice, authority, origin):
    sluice.start(tls_config(authority, origin))
    with net.client.connect(FRONT) as sock:
        sock.settimeout(10)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: first.test\r\n\r\n")
        assert b"HTTP" not in origins.read_all(sock)
    assert handshakes(sluice)["failed"]["not_tls"] == 1
    assert origin.accepted == 0


def test_abandoned_handshakes_leave_nothing_behind(net, sluice, authority, origin):
    sluice.start(tls_config(authority, origin))
    hello = ssl.MemoryBIO()
    bio = context(authority).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="first.test")
    with pytest.raises(ssl.SSLWantReadError):
        bio.do_handshake()
    bytes_ = hello.read()
    for i in range(60):
        sock = net.client.connect(FRONT)
        if i % 3:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        sock.sendall(bytes_[:len(bytes_) * (i % 4) // 3])
        sock.close()
    wait_until(lambda: sluice.active() == 0, 5, "all are gone")
    with connect(net, authority) as sock:
        assert origins.read_line(sock) == "a"


def test_a_fin_without_close_notify_goes_on_as_a_reset(net, sluice, authority, named_origin):
    seen = []

    def watch(sock, _):
        try:
            seen.append(len(origins.read_all(sock)))
        except ConnectionResetError:
            seen.append("reset")
    origin = named_origin("watch", ORIGIN, watch)
    sluice.start(tls_config(authority, origin))
    sock = connect(net, authority)
    sock.sendall(b"half a request")
    wait_until(lambda: sluice.connections()[0]["bytes_in"] == 14, 5, "the bytes are there")
    raw = socket.socket(fileno=sock.detach())
    raw.shutdown(socket.SHUT_WR)
    wait_until(lambda: seen, 5, "the origin hears of it")
    assert seen == ["reset"]
    wait_until(lambda: sluice.listeners()["front"]["ends"]["client_truncated"] == 1, 5, "the end is counted")
    raw.close()


def test_handshakes_wait_for_their_place(net, sluice, authority, origin):
    """One at a time: a client that stalls keeps its place until its time is over."""
    config = tls_config(authority, origin, handshake_timeout="1s")
    sluice.start({**config, "workers": 1, "limits": {"tls_handshakes": 1}})
    with net.client.connect(FRONT) as stalled:
        stalled.sendall(b"\x16\x03\x01")
        wait_until(lambda: sluice.active() == 1, 5, "it is there")
        time.sleep(0.2)
        started = time.monotonic()
        try:
            connect(net, authority).close()
        except OSError:
            pass
        assert time.monotonic() - started > 0.5
    with connect(net, authority) as sock:
        assert origins.read_line(sock) == "a"


# --- Reload -----------------------------------------------------------------------
def test_reload_swaps_certificates_without_losing_a_connection(net, sluice, authority, origin):
    first, second = tls_config(authority, origin, authority.first), tls_config(
        authority, origin, authority.exact)
    sluice.start(first)
    stop, errors, rounds = threading.Event(), [], []

    def go_on():
        while not stop.is_set():
            try:
                name = "first.test"
                sock = net.client.connect(FRONT)
                made = context(authority)
                made.check_hostname = False
                with made.wrap_socket(sock, server_hostname=name) as tls:
                    assert origins.read_line(tls) == "a"
                    rounds.append(names_of(tls)[0])
            except (OSError, AssertionError) as error:
                errors.append(error)

    threads = [threading.Thread(target=go_on) for _ in range(4)]
    with connect(net, authority) as old:
        assert origins.read_line(old) == "a"
        for thread in threads:
            thread.start()
        for i in range(6):
            time.sleep(0.15)
            sluice.reload(second if i % 2 == 0 else first)
        stop.set()
        for thread in threads:
            thread.join(20)
        old.sendall(b"still here\n")
        assert origins.read_line(old) == "still here"
    assert not errors, errors[:3]
    assert set(rounds) == {"first.test", "www.shop.test"}


def test_a_reload_that_cannot_read_a_file_changes_nothing(net, sluice, authority, origin,
                                                          tmp_path):
    sluice.start(tls_config(authority, origin))
    broken = tls_config(authority, origin)
    broken["listeners"][0]["tls"]["certificates"][0]["cert"] = str(tmp_path / "absent.pem")
    sluice.write(broken)
    done = sluice.ctl("reload", check=False)
    assert done.returncode != 0 and "absent.pem" in done.stderr + done.stdout
    check = sluice.check()
    assert check.returncode == 2 and f"{sluice.config_path}:" in check.stderr
    with connect(net, authority) as sock:
        assert origins.read_line(sock) == "a"


# --- What is told -----------------------------------------------------------------
def test_the_access_log_and_metrics_tell_of_tls(net, sluice, authority, origin, tmp_path):
    log = tmp_path / "access.log"
    config = tls_config(authority, origin)
    config["access_log"] = {"path": str(log), "format": "json"}
    sluice.start(config)
    with connect(net, authority) as sock:
        assert origins.read_line(sock) == "a"
        cipher = sock.cipher()[0]
        sock.unwrap()
    wait_until(lambda: log.exists() and log.read_text(), 5, "the line is written")
    line = json.loads(log.read_text())
    assert line["client_tls"] == {"version": "TLSv1.3", "cipher": cipher, "resumed": False}
    assert (line["sni"], line["bytes_out"]) == ("first.test", 2)
    metrics = sluice.ctl("metrics")
    assert 'sluice_listener_tls_handshakes_total{listener="front",kind="full"} 1' in metrics
    expiry = [m for m in metrics.splitlines()
              if m.startswith("sluice_listener_certificate_expiry_timestamp_seconds{")]
    assert 29 * 86400 < float(expiry[0].split()[-1]) - time.time() < 31 * 86400
    assert "first.test" in sluice.ctl("listeners")


def test_the_key_log_is_written_only_where_asked_for(net, sluice, authority, origin, tmp_path):
    keys = tmp_path / "keys.log"
    sluice.start(tls_config(authority, origin, key_log=str(keys)))
    connect(net, authority).close()
    wait_until(lambda: "CLIENT_TRAFFIC_SECRET_0 " in keys.read_text(), 5, "a line is there")
    assert keys.stat().st_mode & 0o777 == 0o600


def test_a_key_log_that_nobody_reads_holds_nobody_up(net, sluice, authority, origin, tmp_path):
    """A pipe: without a reader it cannot be opened, and one that reads nothing leaves no room."""
    pipe = tmp_path / "keys"
    os.mkfifo(pipe)
    config = tls_config(authority, origin, key_log=str(pipe))
    sluice.write(config)
    done = sluice.check()
    assert done.returncode != 0 and f'cannot open "{pipe}"' in done.stderr
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    sluice.start(config)
    for _ in range(20):
        with connect(net, authority) as sock:
            assert origins.read_line(sock) == "a"
    taken = os.read(reader, 1 << 16)
    assert 2000 < len(taken) <= 4096
    os.close(reader)
    with connect(net, authority) as sock:
        assert origins.read_line(sock) == "a"


def test_a_stapled_answer_reaches_the_client(net, sluice, authority, origin, tmp_path):
    answer, request = tmp_path / "staple.der", tmp_path / "request.der"
    common = ["-issuer", authority.cert, "-cert", authority.first.cert]
    database = authority.index(authority.first)
    for argv in (["ocsp", *common, "-no_nonce", "-reqout", request],
                 ["ocsp", "-index", database, "-rsigner", authority.cert, "-rkey", authority.key,
                  "-CA", authority.cert, "-reqin", request, "-respout", answer, "-ndays", "1"]):
        subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True)
    config = tls_config(authority, origin)
    config["listeners"][0]["tls"]["certificates"][0]["ocsp"] = str(answer)
    sluice.start(config)
    assert "OCSP Response Status: successful" in origins.s_client(net.client, FRONT, "-status")


def test_an_answer_is_fetched_and_outlives_a_reload_without_its_responder(net, sluice, authority,
                                                                         origin, tmp_path, keep):
    certificate = authority.issue("first.test", label="fetched",
                                  responder="http://127.0.0.1:8888/ocsp")
    config = tls_config(authority, origin, certificates=[certificate.row()], ocsp_fetch=True)
    responder = keep(Process(list(map(str, authority.responder(certificate, 8888))), tmp_path,
                             "responder", net.proxy))
    responder.wait_ready(lambda: "waiting for OCSP client" in responder.stderr())
    sluice.start(config)

    def is_stapled():
        return "OCSP Response Status: successful" in origins.s_client(net.client, FRONT, "-status")
    wait_until(is_stapled, 10, "an answer is stapled")
    assert "an answer from http://127.0.0.1:8888/ocsp is stapled" in sluice.process.stderr()
    row = sluice.listeners()["front"]["tls"]["certificates"][0]
    assert 0.9 * 86400 < row["stapled_for_seconds"] <= 86400
    responder.stop()
    sluice.reload(config)
    assert is_stapled()


def test_a_responder_that_is_not_there_is_told_of_and_not_waited_for(net, sluice, authority, origin):
    certificate = authority.issue("first.test", label="alone",
                                  responder="http://127.0.0.1:8889/ocsp")
    sluice.start(tls_config(authority, origin, ocsp_fetch=True,
                            certificates=[certificate.row(), authority.first.row()]))
    assert "names no OCSP responder: nothing is stapled with it" in sluice.process.stderr()
    wait_until(lambda: "http://127.0.0.1:8889/ocsp: the responder cannot be reached; it is asked "
               "again in" in sluice.process.stderr(), 10, "it is told of")
    assert "OCSP response: no response sent" in origins.s_client(net.client, FRONT, "-status")


def test_a_responder_that_talks_nonsense_is_told_of(net, sluice, authority, origin):
    certificate = authority.issue("first.test", label="nonsense",
                                  responder="http://127.0.0.1:8890/ocsp")
    with net.proxy.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", 8890))
        listening.listen()
        listening.settimeout(20)
        sluice.start(tls_config(authority, origin, ocsp_fetch=True,
                                certificates=[certificate.row()]))
        connection, _ = listening.accept()
        with connection:
            assert connection.recv(4096).startswith(b"POST /ocsp HTTP/1.")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\n"
                               b"Content-Length: 8\r\nConnection: close\r\n\r\nnonsense")
        wait_until(lambda: "http://127.0.0.1:8890/ocsp: " in sluice.process.stderr(), 10)
    assert "OCSP response: no response sent" in origins.s_client(net.client, FRONT, "-status")


# --- Requests that TLS has a say in ---------------------------------------------------------------
def http_config(authority, web, *certificates, **tls):
    rows = [c.row() for c in certificates or [authority.first]]
    return simple(web, listener_options={"mode": "http", "tls": {"certificates": rows, **tls}},
                  top={"access_log": {"path": "stdout", "format": "json"}})


@pytest.mark.parametrize("check, host, status", [
    ("off", "other.test", 200), ("certificate", "first.test", 200), ("sni", "first.test", 200),
    ("certificate", "FIRST.test.:443", 200), ("sni", "First.test:443", 200),
    ("certificate", "other.test", 421), ("sni", "other.test", 421)])
def test_a_request_is_for_whom_the_client_meant_to_reach(net, sluice, authority, named_origin, check,
                                                        host, status):
    web = named_origin("w", ORIGIN, hello([]))
    sluice.start(http_config(authority, web, host_check=check))
    with connect(net, authority) as sock:
        sock.sendall(f"GET /10 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = origins.read_all(sock)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    if status == 421:
        wait_until(lambda: '"misdirected"' in sluice.process.stdout(), 5, "it is logged")


def read_head(sock):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    return head


def hello_to(sock, head, seen):
    seen.append(head.decode())
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")


def hello(seen):
    """An origin that keeps heads of requests, one a connection, and greets."""
    return lambda sock, _origin: hello_to(sock, read_head(sock), seen)


class EarlyClient:
    """openssl s_client with a session to resume."""

    def __init__(self, net, directory):
        self.net, self.session = net, directory / "session.pem"
        self.run("-sess_out", self.session, text=GET.format(path="/1"))

    def run(self, *options, text):
        argv = ["openssl", "s_client", "-connect", origins.target_text(FRONT), "-servername",
                "first.test", "-tls1_3", "-ign_eof", *options]
        done = subprocess.run(self.net.client.command(argv), input=text, text=True,
                              capture_output=True, timeout=20)
        return done.stdout + done.stderr

    def early(self, directory, text):
        request = directory / "early.txt"
        request.write_text(text)
        return self.run("-sess_in", self.session, "-early_data", request, text="")


GET = "GET {path} HTTP/1.1\r\nHost: first.test\r\nConnection: close\r\n\r\n"


def test_early_data_is_marked_and_only_of_safe_methods(net, sluice, authority, named_origin, tmp_path):
    seen = []
    web = named_origin("w", ORIGIN, hello(seen))
    sluice.start(http_config(authority, web, early_data="16KiB"))
    client = EarlyClient(net, tmp_path)
    assert len(seen) == 1 and "Early-Data" not in seen[0]
    output = client.early(tmp_path, GET.format(path="/early"))
    assert "Early data was accepted" in output and "hello" in output, output
    assert seen[1].startswith("GET /early ") and "Early-Data: 1" in seen[1]
    post = "POST /early HTTP/1.1\r\nHost: first.test\r\nContent-Length: 2\r\n\r\nok"
    output = client.early(tmp_path, post)
    assert "Early data was accepted" in output and "HTTP/1.1 425 Too Early" in output, output
    assert len(seen) == 2
    wait_until(lambda: '"too_early"' in sluice.process.stdout(), 5, "it is logged")
    assert sluice.listeners()["front"]["tls"]["early"] == 2


def test_an_endpoints_own_425_is_passed_on(net, sluice, authority, named_origin, tmp_path):
    """It was told that the data was early, and the client, who knows it too, asks again."""
    seen = []

    def careful(sock, _origin):
        if b"Early-Data: 1\r\n" not in (head := read_head(sock)):
            hello_to(sock, head, seen)
            return
        seen.append(head.decode())
        sock.sendall(b"HTTP/1.1 425 Too Early\r\nContent-Length: 4\r\nX-Own: yes\r\n\r\nlate")

    web = named_origin("w", ORIGIN, careful)
    config = http_config(authority, web, early_data="16KiB")
    config["pools"][0]["http"] = {"retry": {"on_unavailable": True}}
    sluice.start(config)
    client = EarlyClient(net, tmp_path)
    output = client.early(tmp_path, GET.format(path="/early"))
    assert "Early data was accepted" in output, output
    assert "HTTP/1.1 425 Too Early" in output and "X-Own: yes" in output and "late" in output
    assert len(seen) == 2, "it is the client's to ask again"
    assert "hello" in client.run("-sess_in", client.session, text=GET.format(path="/late"))
    assert len(seen) == 3 and "Early-Data" not in seen[2]


def test_a_copy_of_early_data_is_not_taken_twice(net, sluice, authority, named_origin, tmp_path, keep):
    seen = []
    web = named_origin("w", ORIGIN, hello(seen))
    sluice.start(http_config(authority, web, early_data="16KiB"))
    EarlyClient(net, tmp_path)
    # Who sits in between keeps what the client says, and says it again.
    recorder = keep(Recorder(net, FRONT))
    client = EarlyClient.__new__(EarlyClient)
    client.net, client.session = net, tmp_path / "session.pem"
    argv = ["openssl", "s_client", "-connect", origins.target_text(recorder.address), "-servername",
            "first.test", "-tls1_3", "-ign_eof", "-sess_in", client.session, "-early_data",
            tmp_path / "early.txt"]
    (tmp_path / "early.txt").write_text(GET.format(path="/once"))
    done = subprocess.run(net.client.command(argv), input="", text=True, capture_output=True,
                          timeout=20)
    assert "Early data was accepted" in done.stdout, done.stdout
    before = len(seen)
    with net.client.connect(FRONT) as sock:
        sock.settimeout(1)
        sock.sendall(first_flight(recorder.said[0]))
        with pytest.raises(TimeoutError):
            while sock.recv(65536):
                pass
    assert len(seen) == before, "the copy did not reach the backend"


def first_flight(said):
    """Of a client's records those before it has heard anything: up to the early data."""
    flight = b""
    while said:
        kind, length = said[0], 5 + int.from_bytes(said[3:5], "big")
        flight, said = flight + said[:length], said[length:]
        if kind == 23:
            break
    return flight


class Recorder:
    """Passes connections on within the client's namespace, and keeps what clients say."""

    def __init__(self, net, target):
        self.said = []
        self.address = ("127.0.0.1", 4433)
        self._net, self._target = net, target
        self._listener = net.client.listen(self.address)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            onward = self._net.client.connect(self._target)
            self.said.append(b"")
            back = threading.Thread(target=self._pass, args=(onward, sock), daemon=True)
            back.start()
            self._pass(sock, onward, len(self.said) - 1)
            back.join()

    def _pass(self, source, target, index=None):
        try:
            while chunk := source.recv(65536):
                if index is not None:
                    self.said[index] += chunk
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
