# SPDX-License-Identifier: Apache-2.0
"""From start to end: readiness, draining, privileges."""
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from lib import ask, mmdb, traffic
from lib.configs import FRONT, pool, simple
from lib.daemon import Sluiced
from lib.netns import BACKEND, PROXY, PROXY_BACK
from lib.paths import SLUICECTL, SLUICED
from lib.process import control_answers, wait_until

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def origin(named_origin):
    return named_origin("o", (BACKEND, 7000))


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT))
def test_a_signal_to_end_lets_open_connections_end(net, sluice, origin, number):
    sluice.start(simple(origin))
    sock, _ = ask.opened(net.client, FRONT)
    sluice.process.signal(number)
    wait_until(lambda: ask.is_refused(net.client, FRONT), 5)
    assert ask.echoes(sock)
    assert sluice.process.is_running()
    sock.close()
    sluice.wait_clean(5)


def test_sigterm_without_connections_ends_at_once(sluice, origin):
    sluice.start(simple(origin))
    sluice.process.signal(signal.SIGTERM)
    sluice.wait_clean(5)


def test_the_drain_has_a_deadline(net, sluice, origin):
    sluice.start(simple(origin, top={"drain_timeout": "500ms"}))
    sock, _ = ask.opened(net.client, FRONT)
    sluice.process.signal(signal.SIGTERM)
    assert ask.ended(sock)[0] == "reset"
    sluice.wait_clean(5)


def test_a_second_sigterm_ends_at_once(net, sluice, origin):
    sluice.start(simple(origin, top={"drain_timeout": "10m"}))
    sock, _ = ask.opened(net.client, FRONT)
    sluice.process.signal(signal.SIGTERM)
    wait_until(lambda: ask.is_refused(net.client, FRONT), 5)
    sluice.process.signal(signal.SIGTERM)
    sluice.wait_clean(5)
    assert ask.ended(sock)[0] == "reset"


def test_drain_under_load_loses_nothing_accepted(net, tmp_path, sluice, traffic_server, keep):
    server = traffic_server()
    sluice.start(simple(server, top={"drain_timeout": "30s"}))
    client = keep(traffic.Client(net.client, FRONT, tmp_path, connections=40, up=500_000,
                                 down=6_000_000, read_rate=3_000_000))
    # How many are still open is the kernel's buffers' choice.
    wait_until(lambda: sluice.listeners()["front"]["accepted"] == 40, 10)
    sluice.process.signal(signal.SIGTERM)
    traffic.assert_ok(client.finish(), 40)
    sluice.wait_clean(10)


def test_the_control_socket_goes_with_the_daemon(sluice, origin):
    sluice.start(simple(origin))
    assert sluice.socket_path.exists()
    sluice.stop()
    assert not sluice.socket_path.exists()


class Notifications:
    """What a service manager would hear."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.messages = []

    def heard(self, word):
        try:
            while True:
                self.messages.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            pass
        return [m for m in self.messages if word in m.splitlines()]

    def close(self):
        self.socket.close()


def test_a_signal_that_comes_before_the_configuration_is_no_end(sluice, origin):
    """A FIFO holds it where the file is read."""
    os.mkfifo(sluice.config_path)
    sluice.launch()
    with open(sluice.config_path, "w", encoding="utf-8") as config:
        sluice.process.signal(signal.SIGUSR1)
        json.dump(sluice.complete(simple(origin)), config)
    sluice.process.wait_ready(lambda: control_answers(sluice.socket_path))


def in_a_maze(tmp_path, origin):
    """Gathering its places takes longer than any test waits."""
    (tmp_path / "maze.mmdb").write_bytes(mmdb.maze(mmdb.country("DE", "EU")))
    return simple(origin, top={"geo": {"databases": [str(tmp_path / "maze.mmdb")]},
                               "guard": {"mode": "monitor", "geo": {"block": {"country": ["DE"]}}}})


def test_a_signal_ends_a_start_that_gathers_places(tmp_path, sluice, origin):
    sluice.launch(in_a_maze(tmp_path, origin))
    wait_until(lambda: int(sluice.process.status()["SigBlk"], 16) >> (signal.SIGTERM - 1) & 1, 5)
    sluice.process.signal(signal.SIGTERM)
    sluice.wait_clean(5)
    assert "stopped before the start was done" in sluice.process.stderr()
    assert not sluice.socket_path.exists()


def test_the_end_does_not_wait_for_places_that_are_gathered(tmp_path, sluice, origin):
    sluice.start(simple(origin))
    sluice.reload(in_a_maze(tmp_path, origin))
    assert "guard.geo" in sluice.ctl_json("status")["config"]["pending"]
    sluice.process.signal(signal.SIGTERM)
    sluice.wait_clean(5)


def test_signals_without_a_meaning_are_told_of_and_no_end(sluice, origin):
    sluice.start(simple(origin))
    meaningless = (signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGIO, signal.SIGPWR,
                   signal.SIGTTIN, signal.SIGTTOU)
    for number in meaningless:
        sluice.process.signal(number)
    wait_until(lambda: sluice.process.stderr().count("is ignored") == len(meaningless), 5)
    assert "SIGUSR2" in sluice.process.stderr()
    assert sluice.ctl_json("status")["state"] == "serving"


def test_without_standard_files_no_other_file_takes_their_place(tmp_path, sluice, origin):
    """What is written to standard error would go into the file or socket that has its number."""
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    sluice.start(simple(origin, top={"access_log": {"path": str(tmp_path / "access.log")}}),
                 prefix=closed)
    for number in range(3):
        assert os.readlink(f"/proc/{sluice.process.pid}/fd/{number}") == "/dev/null"
    done = subprocess.run([*closed, SLUICECTL, "--socket", str(sluice.socket_path), "status"],
                          timeout=10, check=False)
    assert done.returncode == 1
    assert sluice.ctl_json("status")["state"] == "serving"


def test_a_file_that_may_not_grow_is_no_end(net, tmp_path, sluice, origin):
    """Beyond `ulimit -f` a write has the process killed by SIGXFSZ, unless that is ignored."""
    sluice.start(simple(origin, top={"access_log": {"path": str(tmp_path / "access.log")}}),
                 prefix=["prlimit", "--fsize=2000"])
    ask.names(net.client, FRONT, 20)
    assert sluice.ctl_json("status")["state"] == "serving"


def test_a_second_daemon_by_mistake_ends_before_it_listens(sluice, make_daemon, origin):
    """Ports are shared (SO_REUSEPORT): it would take connections of the first, and reset them."""
    sluice.start(simple(origin))
    second = make_daemon("second")
    config = simple(origin) | {"admin": {"socket": str(sluice.socket_path)}}
    config["listeners"][0]["bind"] = "203.0.113.9:8000"
    second.launch(config)
    assert second.process.wait(10) == 1
    assert "admin.socket" in second.process.stderr()
    assert "203.0.113.9" not in second.process.stderr()
    second.process = None
    assert sluice.ctl_json("status")["state"] == "serving"


def test_a_place_that_is_taken_is_told_with_what_to_do(sluice, make_daemon, origin):
    config = simple(origin)
    config["listeners"][0]["bind"] = "unix:" + str(sluice.directory / "l.sock")
    sluice.start(config)
    second = make_daemon("second")
    second.launch(config)
    assert second.process.wait(10) == 1
    assert "l.sock: Address already in use; another program" in second.process.stderr()
    assert "cannot start, for what is said above" in second.process.stderr()
    second.process = None


def test_a_service_manager_is_told(net, tmp_path, sluice, origin, keep):
    manager = keep(Notifications(tmp_path / "notify"))
    config = simple(origin)
    sluice.start(config, env={"NOTIFY_SOCKET": str(tmp_path / "notify"),
                              "WATCHDOG_USEC": "400000"})
    wait_until(lambda: manager.heard("READY=1"), 5)
    assert ask.name(net.client, FRONT) == "o"
    wait_until(lambda: len(manager.heard("WATCHDOG=1")) >= 3, 5)
    sluice.process.signal(signal.SIGHUP)
    wait_until(lambda: manager.heard("RELOADING=1"), 5)
    assert any("MONOTONIC_USEC=" in m for m in manager.heard("RELOADING=1"))
    wait_until(lambda: len(manager.heard("READY=1")) == 2, 5)
    sluice.process.signal(signal.SIGTERM)
    wait_until(lambda: manager.heard("STOPPING=1"), 5)
    sluice.wait_clean(5)


@pytest.mark.parametrize("arguments, reason", (
    (["--bogus"], "--bogus"),
    (["-c"], "requires an argument"),
    (["-c", "{file}", "more"], "unexpected argument 'more'"),
    (["-c", "/nonexistent.yaml"], "/nonexistent.yaml: cannot be read: No such file or directory"),
    (["-c", "/"], "/: cannot be read: Is a directory"),
    (["-c", "{file}"], "{file}:1:1: unknown option \"colour\""),
    (["--check", "{file}"], "{file}:1:1: unknown option \"colour\""),
))
def test_what_a_person_has_to_mend_ends_with_status_2(tmp_path, arguments, reason):
    file = tmp_path / "sluice.yaml"
    file.write_text("colour: red\n", encoding="utf-8")
    done = subprocess.run([SLUICED, *(text.format(file=file) for text in arguments)], text=True,
                          capture_output=True, timeout=10, check=False)
    assert done.returncode == 2
    assert reason.format(file=file) in done.stderr


def test_who_names_no_file_is_told_how():
    done = subprocess.run([SLUICED, "--check"], text=True, capture_output=True, timeout=10,
                          check=False)
    if done.returncode == 0:
        pytest.skip("this machine has a configuration")
    assert "/etc/sluice/sluice.yaml: cannot be read" in done.stderr
    assert "-c FILE names another" in done.stderr


@pytest.mark.parametrize("top, reason", (
    ({"user": "nosuch"}, "user: there is no user nosuch"),
    ({"admin": {"socket": "/proc/nowhere/s.sock"}}, "its directory is missing"),
    ({"geo": {"databases": ["/nonexistent.mmdb"]}}, "/nonexistent.mmdb"),
))
def test_what_the_machine_lacks_ends_with_status_1(sluice, origin, top, reason):
    sluice.launch(simple(origin, top=top))
    assert sluice.process.wait(10) == 1
    assert reason in sluice.process.stderr()
    sluice.process = None


def test_a_port_that_takes_a_privilege_is_told_with_which(open_directory, origin):
    prefix = ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups",
              "--inh-caps=-all", "--bounding-set=-all"]
    config = simple(origin)
    config["listeners"][0]["bind"] = "0.0.0.0:80"
    open_directory.launch(config, prefix=prefix)
    assert open_directory.process.wait(10) == 1
    assert "CAP_NET_BIND_SERVICE" in open_directory.process.stderr()
    open_directory.process = None


def test_a_pin_path_that_cannot_be_used_is_warned_of(tmp_path, sluice, origin):
    acceleration = {"mode": "splice", "pin_path": str(tmp_path)}
    sluice.start(simple(origin, top={"acceleration": acceleration}))
    told = next(line for line in sluice.process.stderr().splitlines() if str(tmp_path) in line)
    assert " warn " in told
    assert "ends with the daemon" in told
    assert "not in a BPF file system" in told


@pytest.fixture
def open_directory(net, io):
    """A directory of nobody's: pytest's own are root's alone."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="sluice-e2e-"))
    shutil.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    path.chmod(0o755)
    daemon = Sluiced(net.proxy, path, io)
    yield daemon
    try:
        daemon.stop()
    finally:
        daemon.kill()
        shutil.rmtree(path)


def capabilities(process):
    return int(process.status()["CapEff"], 16)


DANGEROUS = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7,
             "CAP_SYS_MODULE": 16, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21}


def test_the_user_option_drops_privileges(net, open_directory, origin):
    daemon = open_directory.start(simple(origin, top={"user": "nobody"}))
    status = daemon.process.status()
    assert set(status["Uid"].split()) == {str(NOBODY.pw_uid)}
    assert set(status["Gid"].split()) == {str(NOBODY.pw_gid)}
    assert status["Groups"].split() in ([], [str(NOBODY.pw_gid)])
    held = [name for name, bit in DANGEROUS.items() if capabilities(daemon.process) >> bit & 1]
    assert held == []
    for task in os.listdir(f"/proc/{daemon.process.pid}/task"):
        text = pathlib.Path(f"/proc/{daemon.process.pid}/task/{task}/status").read_text()
        assert f"Uid:\t{NOBODY.pw_uid}" in text
    assert ask.name(net.client, FRONT) == "o"


def test_reload_works_after_the_drop(net, open_directory, origin):
    config = simple(origin, top={"user": "nobody"})
    daemon = open_directory.start(config)
    config["listeners"][0]["bind"].append("0.0.0.0:8001")
    daemon.reload(config)
    assert ask.name(net.client, FRONT) == "o"


def test_the_guard_and_dispatch_work_after_the_drop(net, open_directory, origin):
    config = {"listeners": [{"name": "service", "mode": "dispatch", "bind": "10.99.0.1:80",
                             "pool": "main",
                             "dispatch": {"forward": "nat", "source": PROXY_BACK}}],
              "pools": [pool(origin, balance="maglev")], "user": "nobody",
              "guard": {"mode": "enforce"}}
    net.client.run("ip", "route", "replace", "10.99.0.1", "via", PROXY)
    daemon = open_directory.start(config)
    assert ask.name(net.client, ("10.99.0.1", 80)) == "o"
    config["listeners"][0]["bind"] = "10.99.0.1:81"
    daemon.reload(config)
    assert ask.name(net.client, ("10.99.0.1", 81)) == "o"


def test_it_runs_unprivileged_from_the_start(net, open_directory, origin):
    prefix = ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups",
              "--inh-caps=-all", "--bounding-set=-all"]
    daemon = open_directory.start(simple(origin), prefix=prefix)
    assert capabilities(daemon.process) == 0
    assert ask.name(net.client, FRONT) == "o"
    assert "privilege" in daemon.process.stderr() + daemon.process.stdout()


def test_unprivileged_transparent_is_a_clear_error(net, open_directory, origin):
    prefix = ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups",
              "--inh-caps=-all", "--bounding-set=-all"]
    daemon = open_directory.launch(simple(origin, transparent=True), prefix=prefix)
    wait_until(lambda: "transparent" in daemon.process.stderr() + daemon.process.stdout(), 5)
    if not daemon.process.is_running():
        daemon.process = None


def test_version_and_help(sluice):
    for binary in (SLUICED, SLUICECTL):
        for option in ("--version", "--help"):
            done = subprocess.run([binary, option], capture_output=True, text=True, timeout=10)
            assert done.returncode == 0, done.stderr
            assert "sluice" in done.stdout.lower()
