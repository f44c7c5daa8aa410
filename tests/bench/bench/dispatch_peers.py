# SPDX-License-Identifier: Apache-2.0
"""The paths of mode dispatch: one address for three endpoints, by whatever brings packets or connections to them. What
is done to packets of all devices would be part of every other path, so each is up only while it is measured."""
import json

from lib.netns import PROXY, PROXY_BACK, backend_address
from lib.paths import TOOLS
from lib.process import can_connect, wait_until

from .peers import (BACKEND_BASE, BULK, DATAGRAM, WEB, Backend, HAProxy, Peer, Plain, Sluice,
                    SluiceSplice)

VIP = "10.99.0.1"
BACKENDS = tuple(backend_address(host) for host in (2, 3, 4))
# What is served: {offset: protocol}.
SERVED = {WEB: "tcp", BULK: "tcp", DATAGRAM: "udp"}


class Dispatching(Peer):
    """Clients ask the service's address, at the endpoints' own ports."""
    host, base = VIP, BACKEND_BASE
    is_alone = True
    pid = None  # the kernel does it, whoever has told it to

    def wait_answering(self):
        wait_until(lambda: can_connect(self.net.client, self.address(WEB)), 10, self.name)


class SluiceDispatch(Dispatching, Sluice):
    forward, hook = "nat", "tc"

    def listener(self, offset, protocol):
        dispatch = {"forward": self.forward}
        if self.forward == "nat":
            dispatch["source"] = PROXY_BACK
        return {"name": f"l{offset}", "mode": "dispatch", "pool": f"p{offset}",
                "bind": [f"{VIP}:{self.base + offset}/{protocol}"], "dispatch": dispatch}

    def launch(self):
        config = self.directory / f"{self.name}.yaml"
        config.write_text(json.dumps({
            "workers": 1, "io": self.io,
            "acceleration": {"mode": "off", "hook": self.hook, "pin_path": "off"},
            "admin": {"socket": str(self.directory / f"{self.name}.sock")},
            "listeners": [self.listener(*served) for served in SERVED.items()],
            "pools": [{"name": f"p{o}", "balance": "maglev",
                       "endpoints": [{"address": f"{b}:{BACKEND_BASE + o}"} for b in BACKENDS]}
                      for o in SERVED],
        }, indent=1))
        return self.spawn([self.binary, "-c", config])


class SluiceNat(SluiceDispatch):
    name, title = "sluice-nat", "Sluice nat"


class SluiceNatXdp(SluiceDispatch):
    name, title, hook = "sluice-nat-xdp", "Sluice nat, XDP", "xdp"


class SluiceL2(SluiceDispatch):
    name, title, forward = "sluice-l2", "Sluice l2", "l2"


class SluiceL2Xdp(SluiceL2):
    name, title, hook = "sluice-l2-xdp", "Sluice l2, XDP", "xdp"


class SluiceTunnel(SluiceDispatch):
    """The endpoint takes the outer header off by a program: this kernel may have no device for it."""

    def start(self):
        self.net.backend.run("tc", "qdisc", "add", "dev", "b0", "clsact")
        self.net.backend.run("tc", "filter", "add", "dev", "b0", "ingress", "bpf", "direct-action",
                             "object-file", TOOLS / "unwrap.bpf.o", "section", "tc")
        super().start()

    def stop(self):
        super().stop()
        self.net.backend.run("tc", "qdisc", "del", "dev", "b0", "clsact", check=False)


class SluiceIpip(SluiceTunnel):
    name, title, forward = "sluice-ipip", "Sluice ipip", "ipip"


class SluiceGue(SluiceTunnel):
    name, title, forward = "sluice-gue", "Sluice gue", "gue"


class Nftables(Dispatching):
    """DNAT by a map from a number to an endpoint; the source is changed too, as Sluice's `nat` does,
    so that endpoints need no route through the balancer."""
    name, title, choice = "nft-numgen", "nftables numgen", "numgen inc mod 3"
    postrouting = 'oifname "p1" masquerade'

    def rules(self):
        places = ", ".join(f"{i} : {b}" for i, b in enumerate(BACKENDS))
        served = "\n".join(f"    ip daddr {VIP} {protocol} dport {self.base + offset} "
                           f"dnat to {self.choice.format(protocol=protocol)} map {{ {places} }}"
                           for offset, protocol in SERVED.items())
        return f"""
table ip balance {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
{served}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    {self.postrouting}
  }}
}}
"""

    def start(self):
        # Connections that have ended fill the table of 262,144 within seconds otherwise.
        rules = self.directory / f"{self.name}.nft"
        rules.write_text(self.rules())
        self.net.proxy.run("nft", "-f", rules)
        self.net.proxy.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=1")
        self.wait_answering()

    def stop(self):
        self.net.proxy.run("nft", "flush", "ruleset", check=False)


class NftablesJhash(Nftables):
    name, title = "nft-jhash", "nftables jhash"
    choice = "jhash ip saddr . {protocol} sport mod 3"


class NftablesDnatOnly(NftablesJhash):
    """The endpoints' way back leads through the balancer here, so that the source can stay."""
    name, title = "nft-dnat", "nftables jhash, DNAT alone"
    postrouting = ""


class ThreeHAProxy(HAProxy):
    name, base = "haproxy-three", 9200
    backends = BACKENDS
    is_alone = True


class ThreeSluiceSplice(SluiceSplice):
    name, base = "sluice-splice-three", 9300
    backends = BACKENDS


class DispatchBackend(Backend):
    """The same at three addresses and, for forms whose packets keep their destination, at the service's."""
    listen_on = "0.0.0.0"

    def __init__(self, net, directory):
        net.client.run("ip", "route", "add", VIP, "via", PROXY)
        net.backend.run("ip", "address", "add", f"{VIP}/32", "dev", "lo")
        super().__init__(net, directory)
        self.answer_datagrams(net, directory)


class WireBackend(DispatchBackend):
    """Frames as a wire brings them: each a whole segment with its checksum finished, put together again by GRO, where
    veth hands over sums and segments for a device to finish, which no device ever does."""

    def __init__(self, net, directory):
        for namespace, far, near in ((net.client, "c0", "p0"), (net.backend, "b0", "p1")):
            namespace.run("ethtool", "-K", far, "tx", "off", "gro", "on")
            net.proxy.run("ethtool", "-K", near, "gro", "on")
        super().__init__(net, directory)


# Where senders leave checksums unfinished, the program at XDP leaves the packets to the one at TC.
DISPATCH_PEERS = (Plain, SluiceNat, SluiceL2, SluiceIpip, SluiceGue, Nftables, NftablesJhash, NftablesDnatOnly,
                  ThreeHAProxy, ThreeSluiceSplice)
WIRE_PEERS = (Plain, SluiceNat, SluiceNatXdp, SluiceL2, SluiceL2Xdp, NftablesJhash, NftablesDnatOnly, ThreeHAProxy,
              ThreeSluiceSplice)
