# SPDX-License-Identifier: Apache-2.0
"""sluiced --check and --schema: what an operator sees before anything runs."""
import json
import subprocess

import pytest

from lib.configs import simple
from lib.paths import ROOT, SLUICED


@pytest.fixture
def io():
    """These never start an I/O backend: once is enough."""
    return "epoll"


def test_a_good_file_passes(sluice):
    sluice.write(simple("192.0.2.1:80"))
    done = sluice.check()
    assert done.returncode == 0, done.stderr


def test_every_error_is_told_in_one_go(sluice):
    sluice.write("""workers: many
listeners:
  - name: web
    bind: ["0.0.0.0:99999"]
    mode: tcp
    pool: nowhere
    pol: main
pools:
  - name: main
    balance: round_robbin
    endpoints: [{address: "192.0.2.1:80", weight: 300}]
""")
    done = sluice.check()
    text = done.stdout + done.stderr
    assert done.returncode != 0
    for line, word in ((1, "many"), (4, "99999"), (6, "nowhere"), (7, "pol"), (10, "round_robin"),
                       (11, "256")):
        assert any(l.startswith(f"{sluice.config_path}:{line}:") and word in l
                   for l in text.splitlines()), f"line {line}, {word}:\n{text}"


def test_a_missing_file_is_named(sluice):
    done = sluice.check()
    assert done.returncode != 0
    assert str(sluice.config_path) in done.stdout + done.stderr


def test_a_user_that_this_machine_lacks_is_told_of(sluice):
    """The file may be for another one."""
    sluice.write(simple("192.0.2.1:80", top={"user": "nosuch", "group": "neither"}))
    done = sluice.check()
    assert done.returncode == 0
    assert "warning: user: there is no user nosuch" in done.stderr and "there is no group neither" in done.stderr


def test_secrets_come_from_the_environment(sluice, monkeypatch):
    monkeypatch.setenv("ORIGIN", "192.0.2.1:80")
    sluice.write(simple("${ORIGIN}"))
    assert sluice.check().returncode == 0
    monkeypatch.delenv("ORIGIN")
    done = sluice.check()
    assert done.returncode != 0
    assert "ORIGIN" in done.stdout + done.stderr


def test_the_schema_accepts_what_the_daemon_accepts(sluice):
    jsonschema = pytest.importorskip("jsonschema")
    done = subprocess.run([SLUICED, "--schema"], capture_output=True, text=True, check=True)
    schema = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = sluice.complete(simple("192.0.2.1:80", health={"tcp": {}}))
    assert list(validator.iter_errors(good)) == []
    good["pools"][0]["balance"] = "by_luck"
    assert list(validator.iter_errors(good))


def test_the_shipped_configurations_are_good():
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        done = subprocess.run([SLUICED, "--check", path], capture_output=True, text=True)
        assert done.returncode == 0, f"{path}:\n{done.stderr}"
