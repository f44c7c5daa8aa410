# SPDX-License-Identifier: Apache-2.0
"""Programs that people have: curl and nginx, iperf3 both ways at once."""
import hashlib
import json
import os

import pytest

from lib import origins
from lib.configs import FRONT, PORT, simple
from lib.netns import BACKEND, PROXY
from lib.process import Process

SIZE = 64 << 20


@pytest.fixture
def web(net, tmp_path, sluice, keep):
    """nginx with one large file behind the daemon; the file's SHA-256."""
    page = tmp_path / "large"
    page.write_bytes(os.urandom(1 << 20) * (SIZE >> 20))
    keep(origins.nginx(net.backend, tmp_path,
                       f"server {{ listen {BACKEND}:7000; root {tmp_path}; client_max_body_size 0; "
                       f"location /upload {{ dav_methods PUT; root {tmp_path}; }} }}")
         ).wait_ready(lambda: origins.can_connect(net.backend, (BACKEND, 7000)))
    sluice.start(simple(f"{BACKEND}:7000"))
    return hashlib.sha256(page.read_bytes()).hexdigest()


def test_curl_fetches_a_large_file_from_nginx(net, tmp_path, web):
    got = tmp_path / "got"
    net.client.run("curl", "--silent", "--fail", "--max-time", "60", "--output", got,
                   f"http://{PROXY}:{PORT}/large")
    assert hashlib.sha256(got.read_bytes()).hexdigest() == web


def test_curl_reuses_one_connection_for_many_requests(net, sluice, web):
    urls = [f"http://{PROXY}:{PORT}/nothing"] * 50
    done = net.client.run("curl", "--silent", "--max-time", "60", "--output", "/dev/null",
                          "--write-out", "%{http_code} %{num_connects}\\n", *urls)
    answers = [line.split() for line in done.stdout.splitlines()]
    # --output holds for the first URL alone: of the others only the write-out lines count.
    codes = [words for words in answers if len(words) == 2 and words[0] == "404"]
    assert len(codes) == 50 and sum(int(connects) for _, connects in codes) == 1
    assert sluice.listeners()["front"]["accepted"] == 1


def test_iperf3_runs_both_ways_at_once(net, tmp_path, sluice, keep):
    keep(Process(["iperf3", "--server", "--bind", BACKEND, "--port", "7000"], tmp_path, "iperf3",
                 net.backend)).wait_ready(
                     lambda: origins.can_connect(net.backend, (BACKEND, 7000)))
    sluice.start(simple(f"{BACKEND}:7000"))
    done = net.client.run("iperf3", "--client", FRONT[0], "--port", str(PORT), "--time", "2",
                          "--bidir", "--json", check=False)
    report = json.loads(done.stdout)
    assert "error" not in report, report["error"]
    moved = {stream["sender"]["sender"]: stream["receiver"]["bytes"]
             for stream in report["end"]["streams"]}
    assert len(moved) == 2 and min(moved.values()) > 1 << 20, moved
