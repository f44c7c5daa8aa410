# SPDX-License-Identifier: Apache-2.0
"""CPU time of a process with all its threads and children, and of the whole machine."""
import os
import pathlib
import time


def family(pid):
    """The process and its descendants."""
    pids = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids += family(int(child))
    return pids


def process_seconds(pid):
    """User and system time so far, of every thread: io_uring's workers are threads too.
    From schedstat, in nanoseconds, where /proc/PID/stat has ticks of 10 ms."""
    total = 0
    for member in family(pid):
        for task in pathlib.Path(f"/proc/{member}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def _machine_ticks():
    """Idle, stolen by other machines, and all."""
    with open("/proc/stat") as stat:
        fields = [int(f) for f in stat.readline().split()[1:9]]
    return fields[3] + fields[4], fields[7], sum(fields)


KTHREADD = 2


def _others():
    """{pid: seconds so far} of processes that nobody here has started. The kernel's threads work for us."""
    ours, found = set(family(os.getpid())), {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in ours:
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if KTHREADD not in (parent, int(entry.name)):
                found[entry.name] = sum(int((task / "schedstat").read_text().split()[0])
                                        for task in (entry / "task").iterdir()) / 1e9
        except OSError:  # it has ended
            continue
    return found


class Meter:
    """Used around a measurement: what the process used, how idle the machine was, and what of it others had."""

    def __init__(self, pid):
        self.pid = pid
        self.seconds = None   # of the process
        self.elapsed = None
        self.idle = self.others = None  # shares of the machine, 0 to 1

    def __enter__(self):
        self._others = _others()
        self._process = process_seconds(self.pid) if self.pid else None
        self._ticks = _machine_ticks()
        self._began = time.monotonic()
        return self

    def __exit__(self, *_):
        self.elapsed = time.monotonic() - self._began
        if self.pid:
            self.seconds = process_seconds(self.pid) - self._process
        idle, stolen, total = (b - a for a, b in zip(self._ticks, _machine_ticks()))
        self.idle = idle / max(total, 1)
        others = sum(used - self._others.get(pid, 0) for pid, used in _others().items())
        self.others = stolen / max(total, 1) + others / self.elapsed / cores()


def private_kib(pid):
    """Memory that the process alone pays for: anonymous and dirtied pages of the whole family."""
    total = 0
    for member in family(pid):
        for line in pathlib.Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def cores():
    return len(os.sched_getaffinity(0))
