# SPDX-License-Identifier: Apache-2.0
"""Child processes whose output is kept, and waiting for facts instead of for time."""
import os
import pathlib
import signal
import socket
import subprocess
import time

# A kernel under emulation takes its time to verify the packet programs.
READY_SECONDS = float(os.environ.get("E2E_READY_SECONDS", "15"))


def wait_until(condition, timeout=10, what=None, interval=0.02):
    """Polls; returns the condition's first true value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout} s still not: {what or condition}")
        time.sleep(interval)


def can_connect(namespace, address):
    try:
        namespace.connect(address, timeout=1).close()
        return True
    except OSError:
        return False


def unix_answers(path):
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(str(path))
            return True
        except OSError:
            return False


def control_answers(path):
    """Whether a daemon serves: it takes connections to its control socket before it answers there."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(READY_SECONDS)
        try:
            sock.connect(str(path))
            sock.sendall(b'{"v":1,"command":"ping"}\n')
            return sock.recv(1) != b""
        except OSError:
            return False


class Process:
    """argv runs in `namespace` (None: where we are); stdout and stderr go to files in `directory`."""

    def __init__(self, argv, directory, name, namespace=None, env=None, **options):
        directory = pathlib.Path(directory)
        self.name = name
        self.stdout_path = directory / f"{name}.out"
        self.stderr_path = directory / f"{name}.err"
        argv = namespace.command(argv) if namespace else [str(a) for a in argv]
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.child = subprocess.Popen(argv, stdout=out, stderr=err, env=env,
                                          stdin=options.pop("stdin", subprocess.DEVNULL),
                                          **options)
        self.pid = self.child.pid

    def stdout(self):
        return self.stdout_path.read_text(errors="replace")

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def is_running(self):
        return self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, timeout=30):
        return self.child.wait(timeout)

    def wait_ready(self, condition, timeout=READY_SECONDS):
        def ready():
            assert self.is_running(), f"{self.name} ended early:\n{self.stderr()}{self.stdout()}"
            return condition()
        wait_until(ready, timeout, f"{self.name} is ready")
        return self

    def stop(self, timeout=10):
        """SIGTERM, then SIGKILL. Returns the exit status."""
        if self.is_running():
            self.signal(signal.SIGTERM)
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.child.kill()
        if self.child.stdin:
            self.child.stdin.close()
        return self.child.wait()

    # --- What /proc knows ----------------------------------------------------
    def status(self):
        """/proc/PID/status as a dictionary."""
        lines = pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {key: value.strip() for key, _, value in (l.partition(":") for l in lines)}

    def memory_kib(self, field):
        """A field of smaps_rollup: Pss, Private_Dirty, Anonymous."""
        for line in pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise KeyError(field)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))
