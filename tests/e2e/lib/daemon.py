# SPDX-License-Identifier: Apache-2.0
"""sluiced under test: its configuration, its life, and sluicectl beside it."""
import json
import os
import pathlib
import signal
import subprocess
import zlib

from .paths import SLUICECTL, SLUICED

PINS = pathlib.Path("/sys/fs/bpf/sluice")
from .process import Process, control_answers, wait_until

SANITIZER_EXIT = 99
_SANITIZERS = {
    "ASAN_OPTIONS": f"exitcode={SANITIZER_EXIT}:detect_leaks=1:abort_on_error=0",
    "UBSAN_OPTIONS": f"print_stacktrace=1:exitcode={SANITIZER_EXIT}",
    "LSAN_OPTIONS": f"exitcode={SANITIZER_EXIT}",
    "TSAN_OPTIONS": f"exitcode={SANITIZER_EXIT}:halt_on_error=0",
}
_REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
            "WARNING: ThreadSanitizer")


# With E2E_UNPRIVILEGED set, every daemon runs without capabilities and without acceleration. It is
# still root by name, so that it may use the files of the tests.
_UNPRIVILEGED = bool(os.environ.get("E2E_UNPRIVILEGED"))
_NO_CAPABILITIES = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")


class Sluiced:
    """One daemon. Configurations are written as JSON, which is YAML too."""

    def __init__(self, namespace, directory, io, name="sluiced"):
        self.namespace = namespace
        self.directory = directory
        self.io = io
        self.name = name
        self.config_path = directory / f"{name}.yaml"
        self.socket_path = directory / f"{name}.sock"
        self.process = None
        # Daemons of one test are one instance, in turn.
        self.instance = f"e2e-{os.getpid()}-{zlib.crc32(str(directory).encode()):08x}"

    # --- Configuration -------------------------------------------------------
    def complete(self, config):
        """Adds what every test wants unless the test says otherwise."""
        defaults = {"workers": 2, "io": self.io, "drain_timeout": "10s",
                    "admin": {"socket": str(self.socket_path)}}
        if _UNPRIVILEGED:
            defaults["acceleration"] = {"mode": "off"}
        config = {**defaults, **config}
        is_pinned = (config.get("acceleration", {}).get("mode") == "splice" or
                     any(row.get("mode") == "dispatch" for row in config.get("listeners", [])))
        if is_pinned:
            config["acceleration"] = {"instance": self.instance, **config.get("acceleration", {})}
        return config

    def write(self, config):
        text = config if isinstance(config, str) else json.dumps(self.complete(config), indent=1)
        self.config_path.write_text(text)

    def check(self):
        """sluiced --check: a finished process."""
        return subprocess.run([SLUICED, "--check", self.config_path], text=True,
                              capture_output=True, env=self._environment({}), timeout=30)

    # --- Life ----------------------------------------------------------------
    @staticmethod
    def _environment(extra):
        options = {name: ":".join(filter(None, (os.environ.get(name), ours)))
                   for name, ours in _SANITIZERS.items()}
        return {**os.environ, **options, "NO_COLOR": "1", **extra}

    def launch(self, config=None, env=(), prefix=(), **options):
        """Starts without waiting. `prefix`: a command that runs sluiced, like setpriv."""
        if config is not None:
            self.write(config)
        if _UNPRIVILEGED:
            prefix = (*_NO_CAPABILITIES, *prefix)
        self.process = Process([*prefix, SLUICED, "-c", self.config_path], self.directory, self.name,
                               self.namespace, self._environment(dict(env)), **options)
        return self

    def start(self, config=None, **options):
        self.launch(config, **options)
        self.process.wait_ready(lambda: control_answers(self.socket_path))
        return self

    def assert_no_report(self):
        text = self.process.stderr()
        assert not any(report in text for report in _REPORTS), text

    def wait_clean(self, timeout=30):
        """It ends by itself, with status 0 and nothing for a sanitizer to say."""
        status = self.process.wait(timeout)
        self.assert_no_report()
        assert status == 0, f"exit status {status}:\n{self.process.stderr()}"

    def stop(self):
        """Twice SIGTERM: now, without a drain."""
        if self.process is None:
            return
        if self.process.is_running():
            self.process.signal(signal.SIGTERM)
            wait_until(lambda: not self.process.is_running()
                       or "no new connections" in self.process.stderr(), 5, "SIGTERM is noticed")
            if self.process.is_running():
                self.process.signal(signal.SIGTERM)
        try:
            self.wait_clean()
        except subprocess.TimeoutExpired:
            self.process.child.kill()
            self.process.child.wait()
            raise AssertionError(f"does not end after two SIGTERM:\n{self.process.stderr()}")

    def kill(self):
        if self.process and self.process.is_running():
            self.process.child.kill()
            self.process.child.wait()

    # --- What outlives it ----------------------------------------------------
    def pins(self):
        """Names of what is pinned."""
        return sorted(os.listdir(PINS / self.instance)) if (PINS / self.instance).exists() else []

    def discard(self):
        """Nothing is left behind on the machine, whatever the test has done."""
        if self.pins():
            self.flows("--discard", check=False)
        for name in self.pins():
            (PINS / self.instance / name).unlink()
        if (PINS / self.instance).exists():
            (PINS / self.instance).rmdir()

    def flows(self, *argv, check=True):
        """sluicectl flows, which needs no daemon, in the namespace that the flows are in."""
        done = subprocess.run(
            self.namespace.command([SLUICECTL, "flows", "--instance", self.instance, *argv]),
            text=True, capture_output=True, timeout=20, env=self._environment({}))
        if not check:
            return done
        assert done.returncode == 0, f"flows {argv}: {done.returncode}\n{done.stderr}"
        return done.stdout

    def flow_rows(self):
        return json.loads(self.flows("--json"))["flows"]

    # --- sluicectl -----------------------------------------------------------
    def ctl(self, *argv, check=True, timeout=20):
        """Its standard output; with check=False the finished process."""
        done = subprocess.run([SLUICECTL, "--socket", self.socket_path, *map(str, argv)],
                              text=True, capture_output=True, timeout=timeout,
                              env=self._environment({}))
        if not check:
            return done
        assert done.returncode == 0, f"sluicectl {argv}: {done.returncode}\n{done.stderr}"
        return done.stdout

    def ctl_json(self, *argv):
        return json.loads(self.ctl("--json", *argv))

    def reload(self, config):
        self.write(config)
        return self.ctl("reload")

    # --- Facts ---------------------------------------------------------------
    def active(self):
        """Open connections."""
        return self.ctl_json("status")["connections_active"]

    def connections(self):
        return self.ctl_json("connections")["connections"]

    def pools(self):
        return {pool["name"]: pool for pool in self.ctl_json("pools")["pools"]}

    def endpoints(self, pool):
        return {e["name"]: e for e in self.pools()[pool]["endpoints"]}

    def listeners(self):
        return {row["name"]: row for row in self.ctl_json("listeners")["listeners"]}
