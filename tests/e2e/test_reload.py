# SPDX-License-Identifier: Apache-2.0
"""Changing the configuration under load: all or nothing, and nobody is cut off."""
import signal

from lib import ask, traffic
from lib.configs import FRONT, PORT, listener, pool, simple
from lib.netns import BACKEND, PROXY
from lib.process import wait_until

RELOADS = 200


def test_two_hundred_reloads_under_load_cut_nobody_off(net, tmp_path, sluice, traffic_server, keep,
                                                      scale):
    server = traffic_server()
    extra = listener(name="extra", bind=["0.0.0.0:8050"])
    configs = [{"listeners": [listener(idle_timeout=idle)] + more, "pools": [pool(server)]}
               for idle, more in (("10m", []), ("11m", [extra]))]
    sluice.start(configs[0])
    held = keep(traffic.Client(net.client, FRONT, tmp_path, "held", order="hold", connections=50,
                               up=1000, down=1000, timeout=600_000))
    held.wait_holding()
    load = keep(traffic.Client(net.client, FRONT, tmp_path, "load", connections=0, concurrency=16,
                               up=2000, down=2000, timeout=600_000))
    count = max(int(RELOADS * scale), 10)
    for i in range(count):
        sluice.reload(configs[(i + 1) % 2])
    assert sluice.ctl_json("status")["config"]["generation"] == count + 1
    report = load.finish()
    assert report["connections"] > 100
    traffic.assert_ok(report, report["connections"])
    traffic.assert_ok(held.finish(), 50)


def test_a_removed_listener_takes_no_more_and_lets_the_open_ones_end(net, sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7000))
    other = listener(name="other", bind=["0.0.0.0:8001"])
    sluice.start({"listeners": [listener(), other], "pools": [pool(origin)]})
    sock, _ = ask.opened(net.client, (PROXY, 8001))
    sluice.reload(simple(origin))
    wait_until(lambda: ask.is_refused(net.client, (PROXY, 8001)), 5)
    assert ask.echoes(sock)
    assert ask.name(net.client, FRONT) == "o"
    sock.close()
    wait_until(lambda: sluice.active() == 0, 5)


def test_an_added_listener_is_open_when_reload_returns(net, sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7000))
    sluice.start(simple(origin))
    assert ask.is_refused(net.client, (PROXY, 8001))
    sluice.reload(simple(origin, listener_options={"bind": [f"0.0.0.0:{PORT}", "0.0.0.0:8001"]}))
    assert ask.name(net.client, (PROXY, 8001)) == "o"
    assert ask.name(net.client, FRONT) == "o"


def test_new_connections_follow_the_new_routes_and_old_ones_stay(net, sluice, named_origin):
    a, b = named_origin("a", (BACKEND, 7001)), named_origin("b", (BACKEND, 7002))
    sluice.start(simple(a))
    sock, name = ask.opened(net.client, FRONT)
    assert name == "a"
    sluice.reload(simple(b))
    assert ask.names(net.client, FRONT, 5) == {"b": 5}
    assert ask.echoes(sock)
    sock.close()


def test_a_bad_configuration_is_refused_and_the_old_one_stays(net, sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7000))
    sluice.start(simple(origin))
    sluice.write("listeners:\n  - name: front\n    bimd: nonsense\npools: []\n")
    done = sluice.ctl("reload", check=False)
    assert done.returncode != 0
    assert f"{sluice.config_path}:3:" in done.stdout + done.stderr
    assert "bimd" in done.stdout + done.stderr
    assert ask.name(net.client, FRONT) == "o"
    status = sluice.ctl_json("status")
    assert (status["config"]["generation"], status["config"]["reload_failures"]) == (1, 1)


def test_the_log_tells_of_a_reload_whoever_asked_for_it(sluice, named_origin):
    sluice.start(simple(named_origin("o", (BACKEND, 7000))))
    sluice.ctl("reload")
    sluice.process.signal(signal.SIGHUP)
    wait_until(lambda: sluice.process.stderr().count(f"reloaded {sluice.config_path}") == 2, 5)
    sluice.write("colour: red\n")
    sluice.ctl("reload", check=False)
    assert f"reload: {sluice.config_path}:1:1: unknown option" in sluice.process.stderr()
    assert "reload failed: the configuration before stays in force" in sluice.process.stderr()


def test_a_port_that_cannot_be_had_changes_nothing(net, sluice, named_origin, keep):
    origin = named_origin("o", (BACKEND, 7000))
    keep(net.proxy.listen((PROXY, 8001)))
    sluice.start(simple(origin))
    sluice.write(simple(origin, listener_options={"bind": ["0.0.0.0:8002", "0.0.0.0:8001"]}))
    assert sluice.ctl("reload", check=False).returncode != 0
    assert ask.name(net.client, FRONT) == "o"
    assert ask.is_refused(net.client, (PROXY, 8002))


def test_sighup_reloads(net, sluice, named_origin):
    a, b = named_origin("a", (BACKEND, 7001)), named_origin("b", (BACKEND, 7002))
    sluice.start(simple(a))
    sluice.write(simple(b))
    sluice.process.signal(signal.SIGHUP)
    wait_until(lambda: ask.name(net.client, FRONT) == "b", 5)


def test_health_is_kept_over_a_reload(net, sluice, named_origin):
    a, gone = named_origin("a", (BACKEND, 7001)), f"{BACKEND}:7099"
    config = simple(a, gone, balance="round_robin",
                    health={"tcp": {}, "interval": "300ms", "timeout": "300ms", "fall": 1, "rise": 1})
    sluice.start(config)
    wait_until(lambda: sluice.endpoints("main")[gone]["health"] == "down", 5)
    sluice.reload(config)
    assert sluice.endpoints("main")[gone]["health"] == "down"
