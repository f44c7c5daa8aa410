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


class Decapsulator:
    """IPIP and GUE (variant 1) over IPv4 that arrive in @namespace come out of a device there."""

    def __init__(self, namespace, device="tun0"):
        with namespace.entered():
            self._tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(self._tun, TUNSETIFF,
                        struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
            self._ipip = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IPIP)
            self._gue = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._gue.bind(("0.0.0.0", GUE_PORT))
        namespace.run("ip", "link", "set", device, "up")
        self._wake, self._end = socket.socketpair()
        self.packets = {"ipip": 0, "gue": 0}
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while True:
            ready, _, _ = select.select([self._ipip, self._gue, self._wake], [], [])
            if self._wake in ready:
                return
            for sock in ready:
                kind = "ipip" if sock is self._ipip else "gue"
                packet = sock.recv(65536)
                outer = (packet[0] & 15) * 4 if kind == "ipip" else 0
                self.packets[kind] += 1
                os.write(self._tun, packet[outer:])

    def close(self):
        self._end.close()
        self._thread.join()
        for sock in (self._ipip, self._gue, self._wake):
            sock.close()
        with contextlib.suppress(OSError):
            os.close(self._tun)
