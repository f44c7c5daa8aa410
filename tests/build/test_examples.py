#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every YAML example of the documentation passes `sluiced --check`.

One that has listeners with places to listen stands as it is. A piece of a configuration is put where it
belongs, with the pools that it names. Files that an example names are made for it.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLUICED = ROOT / "build/release/sluiced"
FILE = re.compile(r"\.(pem|key|txt|mmdb|html)$|^/srv/")
ENVIRONMENT = {"METRICS_ADDRESS": "127.0.0.1:9901", "STICKY_KEY": "0123456789abcdef" * 2}

# The first key of a piece → where it belongs.
OF_A_LISTENER = {"routes", "proxy_protocol", "filters"}
OF_A_POOL = {"endpoints", "health", "connect_retries", "http"}


def blocks(path):
    """(line, text) of each fenced YAML block."""
    found, begin = [], 0
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if begin and line == "```":
            found.append((begin, "\n".join(lines[begin:number - 1]) + "\n"))
            begin = 0
        elif line == "```yaml":
            begin = number
    return found


def alternatives(text):
    """One key several times at the left edge: ways to write one thing."""
    keys = re.findall(r"^(\w+):", text, re.M)
    if len(keys) == len(set(keys)):
        return [text]
    return text.splitlines()


def names_of_pools(value):
    if isinstance(value, list):
        return [name for item in value for name in names_of_pools(item)]
    if not isinstance(value, dict):
        return []
    own = [value["pool"]] if isinstance(value.get("pool"), str) else []
    return own + [name for item in value.values() for name in names_of_pools(item)]


def listener(piece):
    whole = {"name": "l", "bind": ":80", "mode": "http", "pool": "p", **piece}
    if "sni" in json.dumps(piece) or "proxy_protocol" in piece:
        whole["mode"] = "tcp"
    if "certificate" in json.dumps(piece):
        whole["tls"] = {"certificates": [{"cert": "a.pem", "key": "a.key"}],
                        "client_auth": {"mode": "optional", "ca": "ca.pem"}}
    return whole


def placed(piece):
    """A piece where it belongs, by its first key."""
    if isinstance(piece, list):
        return {"listeners": [listener({"routes": piece})]}
    first = next(iter(piece), None)
    if first == "match":
        return placed([{**piece, "pool": "p"}])
    if first in OF_A_LISTENER:
        return {"listeners": [listener(piece)]}
    if first in OF_A_POOL:
        return {"pools": [{"name": "p", "endpoints": ["192.0.2.1:80"], **piece}]}
    if "listeners" in piece:
        return {**piece, "listeners": [listener(row) for row in piece["listeners"]]}
    return piece


def completed(piece):
    """A whole configuration of a piece."""
    config = {"pools": [], **placed(piece)}
    pools = [pool["name"] for pool in config["pools"]]
    config.setdefault("listeners", [listener({"routes": [
        {"match": {"path": f"/{name}"}, "pool": name} for name in pools], "pool": (pools or "p")[0]})])
    for name in sorted(set(names_of_pools(config["listeners"])) - set(pools)):
        config["pools"].append({"name": name, "endpoints": ["192.0.2.1:80"]})
    if "country" in json.dumps(config):
        config.setdefault("geo", {"databases": ["Country.mmdb", "ASN.mmdb"]})
    return config


def is_whole(piece):
    return isinstance(piece, dict) and all("bind" in row for row in piece.get("listeners", [{}]))


class Files:
    """What an example names, below a directory of ours."""

    def __init__(self, directory):
        self.directory = directory

    def placed(self, value):
        """The same with the places of files that are there."""
        if isinstance(value, list):
            return [self.placed(item) for item in value]
        if isinstance(value, dict):
            return {key: self.placed(item) for key, item in value.items()}
        if isinstance(value, str) and FILE.search(value):
            return str(self._made(value))
        return value

    def _made(self, name):
        path = self.directory / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".mmdb"):
            return self._database("asn" if "ASN" in name else "city" if "City" in name else "country")
        if name.endswith((".pem", ".key")):
            return self._certificate(path)
        if name.startswith("/srv/"):
            path.mkdir(exist_ok=True)
        else:
            path.write_text("" if name.endswith(".html") else "192.0.2.0/24\n")
        return path

    def _certificate(self, path):
        stem = path.with_suffix("")
        if not path.exists():
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={stem.name}", "-days",
                            "9", "-keyout", f"{stem}.key", "-out", f"{stem}.pem"], check=True,
                           capture_output=True)
        return path

    def _database(self, name):
        path = self.directory / f"{name}.mmdb"
        if not path.exists():
            subprocess.run([sys.executable, ROOT / "tests/e2e/lib/mmdb.py", self.directory],
                           check=True)
        return path


def check(text, directory):
    """What sluiced has to say against an example; nothing: it is good."""
    try:
        piece = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        return str(error)
    config = Files(directory).placed(piece if is_whole(piece) else completed(piece))
    path = directory / "example.yaml"
    path.write_text(json.dumps(config, indent=1))
    done = subprocess.run([SLUICED, "--check", path], capture_output=True, text=True,
                          env={**os.environ, **ENVIRONMENT})
    return "" if done.returncode == 0 else done.stderr


def main():
    number = 0
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for line, block in blocks(page):
            for text in alternatives(block):
                number += 1
                with tempfile.TemporaryDirectory() as directory:
                    problem = check(text, pathlib.Path(directory))
                for said in problem.splitlines():
                    print(f"# {said}")
                print(f"{'not ok' if problem else 'ok'} {number} - the example at "
                      f"{page.relative_to(ROOT)}:{line} passes the check")
    print(f"1..{number}")


main()
