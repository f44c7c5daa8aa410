# SPDX-License-Identifier: Apache-2.0
"""The traffic tool: checked transfers, thousands at once."""
import collections
import json
import os
import subprocess

from .paths import ROOT, TOOLS
from .process import Process, can_connect, unix_answers, wait_until

BINARY = TOOLS / "traffic"


def build():
    subprocess.run(["make", "-s", "-C", ROOT / "tests" / "e2e" / "tools", f"OUT={TOOLS}"],
                   check=True, env={k: v for k, v in os.environ.items() if k != "MAKEFLAGS"})


def target_text(target):
    """(host, port) or a path, as the tools and sluiced write it."""
    if isinstance(target, tuple):
        host, port = target
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"unix:{target}"


def arguments(target, options):
    words = [f"{key.replace('_', '-')}={value}" for key, value in options.items()]
    return [BINARY, "client", target_text(target), *words]


class Server(Process):
    """`traffic serve`; results() has what it saw of each connection that ended."""

    def __init__(self, target, directory, namespace, name="origin"):
        super().__init__([BINARY, "serve", target_text(target)], directory, name, namespace)
        self.target = target
        self.text = target_text(target)
        answers = ((lambda: can_connect(namespace, target)) if isinstance(target, tuple)
                   else (lambda: unix_answers(target)))
        self.wait_ready(answers)

    def results(self):
        # The probe for readiness asks nothing and counts as short with id 0.
        lines = (json.loads(line) for line in self.stdout().splitlines() if line.endswith("}"))
        return [r for r in lines if r["outcome"] != "short" or r["received"] or r["id"]]

    def wait_results(self, count, timeout=15):
        wait_until(lambda: len(self.results()) >= count, timeout, f"{count} results at the origin")
        return self.results()

    def outcomes(self):
        return collections.Counter(r["outcome"] for r in self.results())


def run(namespace, target, **options):
    """One client run to its end; what it reported. Options: see traffic.c's usage."""
    timeout_s = options.get("timeout", 60000) / 1000
    done = subprocess.run(namespace.command(arguments(target, options)), text=True,
                          capture_output=True, timeout=timeout_s + 30, stdin=subprocess.DEVNULL)
    assert done.stdout, f"traffic: {done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


def assert_ok(report, connections=1):
    assert report["ok"] == report["connections"] == connections, report


class Client(Process):
    """A client that goes on until finish(): order=hold, or connections=0."""

    def __init__(self, namespace, target, directory, name="client", **options):
        super().__init__(arguments(target, options), directory, name, namespace,
                         stdin=subprocess.PIPE)

    def wait_holding(self, timeout=60):
        self.wait_ready(lambda: "holding" in self.stdout(), timeout)
        return self

    def finish(self, timeout=60):
        self.child.stdin.close()
        self.child.stdin = None
        self.wait(timeout)
        return json.loads(self.stdout().splitlines()[-1])
