# SPDX-License-Identifier: Apache-2.0
"""Whether skbs carry the right sum where a device has summed them up, by tools/sums.bpf.c."""
import json
import struct
import subprocess

from .paths import ROOT

_SOURCE = ROOT / "tests/e2e/tools/sums.bpf.c"


class Sums:
    """Counts what arrives at a device. old_link: the Ethernet header that it had before."""

    def __init__(self, namespace, device, directory, old_link):
        self.namespace, self.device = namespace, device
        program = directory / "sums.o"
        old_sum = sum(struct.unpack("=7H", old_link))
        subprocess.run(["clang", "-O2", "-g", "-target", "bpf", "-I/usr/include/x86_64-linux-gnu",
                        f"-DOLD_LINK={old_sum}U", "-c", _SOURCE, "-o", program], check=True)
        namespace.run("tc", "qdisc", "replace", "dev", device, "clsact")
        namespace.run("tc", "filter", "add", "dev", device, "ingress", "bpf", "da", "obj", program,
                      "sec", "tc")

    def seen(self):
        """Packets by whether their sum is right, and those without one."""
        maps = json.loads(subprocess.run(["bpftool", "-j", "map", "dump", "name", "sums_seen"],
                                         check=True, capture_output=True, text=True).stdout)
        others, right, wrong = (entry["formatted"]["value"] for entry in maps)
        return {"others": others, "right": right, "wrong": wrong}

    def stop(self):
        self.namespace.run("tc", "qdisc", "delete", "dev", self.device, "clsact", check=False)
