# SPDX-License-Identifier: Apache-2.0
"""What a figure is worth nothing without: machine, kernel, versions."""
import datetime
import os
import platform
import re
import subprocess


def _first_line(argv, pattern):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
    except OSError:
        return "not installed"
    match = re.search(pattern, done.stdout + done.stderr)
    return match[1] if match else "unknown"


def _proc_field(path, name):
    with open(path) as lines:
        for line in lines:
            if line.startswith(name):
                return line.split(":", 1)[1].strip()
    return "unknown"


def facts(sluiced):
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _proc_field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _proc_field("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
        "versions": {
            "sluice": _first_line([sluiced, "--version"], r"(\d+\.\d+\.\d+\S*)"),
            "haproxy": _first_line(["haproxy", "-v"], r"version (\S+)"),
            "nginx": _first_line(["nginx", "-v"], r"nginx/(\S+)"),
            "nftables": _first_line(["nft", "--version"], r"v(\S+)"),
            "wrk": _first_line(["wrk", "-v"], r"wrk (?:debian/)?(\S+)"),
            "iperf3": _first_line(["iperf3", "--version"], r"iperf (\S+)"),
        },
    }
