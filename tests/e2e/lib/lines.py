# SPDX-License-Identifier: Apache-2.0
"""Bad lines: a device that loses, doubles and delays packets, by tools/line.bpf.c and tools/hold.

This kernel may have no netem; the packet programs are at a far end's device, so that the proxy meets
what a network would have done.
"""
import itertools
import subprocess

from .paths import ROOT, TOOLS
from .process import Process

_SOURCE = ROOT / "tests/e2e/tools/line.bpf.c"
_numbers = itertools.count()


def _ifindex(namespace, device):
    return int(namespace.run("ip", "-o", "link", "show", "dev", device).stdout.split(":")[0])


class BadLine:
    """lose, double, hold: one packet in so many, 0 none. delay_ms: of what is held."""

    def __init__(self, namespace, device, directory, lose=0, double=0, hold=0, delay_ms=(1, 10)):
        self.namespace, self.device = namespace, device
        number = next(_numbers)
        self.late = [f"late{number}o", f"late{number}i"]
        self.hold = Process([TOOLS / "hold", *delay_ms, *self.late], directory, f"hold{number}",
                            namespace)
        self.hold.wait_ready(lambda: "ready" in self.hold.stdout())
        self._compile(directory / f"line{number}.o", lose, double, hold)

    def _compile(self, program, lose, double, hold):
        names = zip(("LINE", "LATE_OUT", "LATE_IN"), (self.device, *self.late))
        numbers = {"LOSE": lose, "DOUBLE": double, "HOLD": hold,
                   **{name: _ifindex(self.namespace, device) for name, device in names}}
        subprocess.run(["clang", "-O2", "-g", "-target", "bpf",
                        "-I/usr/include/x86_64-linux-gnu",
                        *(f"-D{name}={value}U" for name, value in numbers.items()),
                        "-c", _SOURCE, "-o", program], check=True)
        self.program = program

    def _attach(self, device, way, section):
        self.namespace.run("tc", "filter", "add", "dev", device, way, "bpf", "da", "obj",
                           self.program, "sec", f"tc/{section}")

    def start(self):
        """From here on."""
        for device in (self.device, *self.late):
            self.namespace.run("tc", "qdisc", "replace", "dev", device, "clsact")
        self._attach(self.late[0], "ingress", "left_late")
        self._attach(self.late[1], "ingress", "arrived_late")
        self._attach(self.device, "egress", "leaving")
        self._attach(self.device, "ingress", "arriving")
        return self

    def stop(self):
        """The line is good again; what is held is lost."""
        self.namespace.run("tc", "qdisc", "delete", "dev", self.device, "clsact", check=False)
        self.hold.stop()


def counter(namespace, name):
    """A counter of the namespace's stack, such as TcpExtTCPOFOQueue."""
    rows = namespace.run("nstat", "-asz", name).stdout.splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith(name))
