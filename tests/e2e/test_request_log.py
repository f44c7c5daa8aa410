# SPDX-License-Identifier: Apache-2.0
"""The lines of mode http in the access log, in formats that others read."""
import re
import socket

import pytest

from lib import curl
from lib.configs import FRONT, listener, pool
from lib.netns import BACKEND, CLIENT
from lib.process import wait_until
from lib.web import Web

AGENT = ["-A", 'quote" \\back \u00e4', "-e", "http://there/"]


@pytest.fixture
def line(net, keep, sluice):
    """line({access log options}, path, arguments of curl): what the log has of it."""
    def ask(log, path="/size/10", *argv):
        web = keep(Web(net.backend, (BACKEND, 7000)))
        sluice.start({"listeners": [listener(mode="http")], "pools": [pool(web)],
                      "access_log": {"path": "stdout", **log}})
        curl.ask(net.client, path, *argv)
        wait_until(lambda: sluice.process.stdout().endswith("\n"), 5, "a line in the log")
        return sluice.process.stdout().rstrip("\n")
    return ask


DATE = r"\[\d\d/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/\d{4}:\d\d:\d\d:\d\d \+0000\]"


def test_common_is_what_web_servers_write(line):
    assert re.fullmatch(rf'{CLIENT} - - {DATE} "GET /size/10 HTTP/1\.1" 200 10',
                        line({"format": "common"}))


def test_no_body_is_a_dash(line):
    assert line({"format": "common"}, "/size/10", "-I").endswith('" 200 -')


def test_combined_has_referrer_and_agent_escaped(line):
    assert line({"format": "combined"}, "/size/10", *AGENT).endswith(
        r' 200 10 "http://there/" "quote\x22 \x5cback \xc3\xa4"')


def test_template_is_filled_in_and_escaped(line):
    text = line({"template": "${method} ${status} ${endpoint} ${end} <${header:User-Agent}> "
                             "${header:None} ${cookie:c}"}, "/size/10", *AGENT, "-b", "c=1")
    assert text == rf"GET 200 {BACKEND}:7000 done <quote\x22 \x5cback \xc3\xa4> - 1"


def test_fields_of_the_answer_are_still_known_when_it_is_over(line):
    text = line({"template": "${response_header:Content-Length} ${response_header:None}"}, "/size/400000")
    assert text == "400000 -"


def test_template_has_numbers(line):
    text = line({"template": "${time} ${duration_ms} ${bytes_in} ${bytes_out}"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \d+\.\d{3} \d+ \d+", text)
    assert int(text.split()[-1]) > 10


@pytest.mark.parametrize("ends", ["late", "gone"])
def test_a_request_that_does_not_become_whole_has_its_own_line(net, sluice, keep, ends):
    """Not what others have sent into the buffer that it came in."""
    web = keep(Web(net.backend, (BACKEND, 7000)))
    sluice.start({"workers": 1, "listeners": [listener(mode="http", http={"request_timeout": "1s"})],
                  "pools": [pool(web)], "access_log": {
                      "path": "stdout", "template": "${status} ${method} ${uri} ${header:X-Own}"}})
    with net.client.connect(FRONT) as sock:
        sock.sendall(b"GET /its/own HTTP/1.1\r\nX-Own: mine\r\nHo")
        for _ in range(8):
            with net.client.connect(FRONT) as other:
                other.sendall(b"POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n" + b"secret\r\n!")
                assert b" 200 " in other.recv(100)
        if ends == "gone":
            sock.shutdown(socket.SHUT_WR)
        sock.recv(100)
    wait_until(lambda: "/its/own" in sluice.process.stdout().splitlines()[-1], 5, "its line")
    status = "408" if ends == "late" else "-"
    assert sluice.process.stdout().splitlines()[-1] == f"{status} GET /its/own mine"


def test_part_of_an_answers_head_is_its_own(net, sluice, keep):
    web = keep(Web(net.backend, (BACKEND, 7000)))
    web.on("/part", lambda sock, m: (sock.sendall(b"HTTP/1.1 200 OK\r\nX-Own: mine\r\nX-B"),
                                     sock.recv(1))[1])
    sluice.start({"workers": 1, "listeners": [listener(mode="http")],
                  "pools": [pool(web, http={"response_timeout": "1s"})], "access_log": {
                      "path": "stdout", "template": "${uri} ${status} ${response_header:X-Own}"}})
    with net.client.connect(FRONT) as sock:
        sock.sendall(b"GET /part HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: web.seen, 5, "it is asked")
        for _ in range(8):
            curl.ask(net.client, "/size/2000")
        assert b" 504 " in sock.recv(100)
    wait_until(lambda: "/part" in sluice.process.stdout(), 5, "its line")
    assert sluice.process.stdout().splitlines()[-1] == "/part 504 mine"


def test_a_request_that_cannot_be_read_has_a_line_too(net, sluice, keep):
    web = keep(Web(net.backend, (BACKEND, 7000)))
    sluice.start({"listeners": [listener(mode="http")], "pools": [pool(web)],
                  "access_log": {"path": "stdout", "format": "combined"}})
    with net.client.connect(("10.77.1.1", 8000)) as sock:
        sock.sendall(b"GET \x01 HTTP/1.1\r\n\r\n")
        assert b" 400 " in sock.recv(100)
    wait_until(lambda: sluice.process.stdout().endswith("\n"), 5, "a line in the log")
    assert re.fullmatch(rf'{CLIENT} - - {DATE} ".* .* .*" 400 \d+ "-" "-"\n', sluice.process.stdout())
