# SPDX-License-Identifier: Apache-2.0
"""How long the steps of hand-overs take in a running sluiced (tools/steps.c)."""
import json

from lib.paths import TOOLS
from lib.process import Process


class Steps(Process):
    """Used around what makes hand-overs. `found`: {step_p50, step_p99, step_mean: microseconds},
    and `handoff_us`: all steps of one, on average."""
    found = None

    def __init__(self, session, peer):
        argv = [TOOLS / "steps", TOOLS / "steps.bpf.o", peer.binary, peer.pid]
        super().__init__(argv, session.directory, "steps", session.net.proxy, stdin=-1)

    def __enter__(self):
        return self.wait_ready(lambda: "watching" in self.stdout()) or self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(30)
        steps = json.loads(self.stdout().splitlines()[-1])
        self.found = {f"{step}_{kind}": row[kind] for step, row in steps.items()
                      for kind in ("p50", "p99", "mean") if kind in row}
        joined = steps["freeze"]["n"] or 1
        self.found["handoff_us"] = sum(row["n"] * row.get("mean", 0)
                                       for row in steps.values()) / joined
