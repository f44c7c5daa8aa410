# SPDX-License-Identifier: Apache-2.0
"""What testssl.sh, a stranger to this code, says of a listener: nothing worse than its profile means.

`make testssl` runs it: it takes minutes, and is no part of the other tests.
"""
import json
import subprocess

import pytest

from lib.configs import FRONT
from lib.pki import Authority
from lib.traffic import target_text

ENGINE = "io_uring"  # it asks what is offered, not how fast

# Findings by their severity: everything is good, or only told.
HARMLESS = {"OK", "INFO"}
# What testssl.sh finds wanting in the openssl that it asks with.
ITS_OWN = {"engine_problem"}
CHECKS = ("-p", "-s", "-f", "-U")  # protocols, ciphers, forward secrecy, vulnerabilities


def findings(net, directory):
    report = directory / "testssl.json"
    argv = ["testssl", "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none",
            "--jsonfile", report, *CHECKS, target_text(FRONT)]
    done = subprocess.run(net.client.command(argv), text=True, capture_output=True, timeout=600)
    assert report.exists(), done.stdout + done.stderr
    rows = json.loads(report.read_text())
    return {row["id"]: row for row in rows if row["id"] not in ITS_OWN}


@pytest.mark.parametrize("profile, offered", [
    ("intermediate", {"TLS1_2", "TLS1_3"}), ("modern", {"TLS1_3"})])
def test_a_profile_has_no_weakness(net, sluice, tmp_path, profile, offered):
    authority = Authority(tmp_path)
    certificates = [authority.issue("first.test", rsa=rsa).row() for rsa in (False, True)]
    sluice.start({"listeners": [{
        "name": "front", "mode": "http", "bind": target_text(FRONT),
        "tls": {"profile": profile, "certificates": certificates},
        "routes": [{"respond": {"status": 200}}]}]})
    found = findings(net, tmp_path)
    bad = {name: row["finding"] for name, row in found.items() if row["severity"] not in HARMLESS}
    assert not bad, bad
    versions = {name for name in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3")
                if found[name]["finding"].startswith("offered")}
    assert versions == offered
    assert {"heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_client_renego"} <= set(found)
