# SPDX-License-Identifier: Apache-2.0
"""The endpoint's end of a tunnel, for kernels without the devices: takes the outer header off."""
import contextlib
import fcntl
import os
import select
import socket
import struct
import threading

IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
TUNSETIFF = 0x400454CA
GUE_PORT = 6080
UDP_NO_CHECK6_RX = 102


class Decapsulator:
    """IPIP and GUE (variant 1) that arrive in @namespace come out of a device there."""

    def __init__(self, namespace, device="tun0"):
        with namespace.entered():
            self._tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(self._tun, TUNSETIFF,
                        struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
            self._ipip = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IPIP)
            self._ipip6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_IPV6)
            self._gue = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._gue6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._gue.bind(("0.0.0.0", GUE_PORT))
        self._gue6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self._gue6.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)
        self._gue6.bind(("::", GUE_PORT))
        namespace.run("ip", "link", "set", device, "up")
        self._wake, self._end = socket.socketpair()
        self.packets = {"ipip": 0, "gue": 0}
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        socks = [self._ipip, self._ipip6, self._gue, self._gue6]
        while True:
            ready, _, _ = select.select([*socks, self._wake], [], [])
            if self._wake in ready:
                return
            for sock in ready:
                kind = "ipip" if sock in (self._ipip, self._ipip6) else "gue"
                packet = sock.recv(65536)
                outer = (packet[0] & 15) * 4 if sock is self._ipip else 0  # IPv6's is off already
                self.packets[kind] += 1
                os.write(self._tun, packet[outer:])

    def close(self):
        self._end.close()
        self._thread.join()
        for sock in (self._ipip, self._ipip6, self._gue, self._gue6, self._wake):
            sock.close()
        with contextlib.suppress(OSError):
            os.close(self._tun)
