# SPDX-License-Identifier: Apache-2.0
"""A TCP peer made by hand behind a TUN device: it sends exactly the segments that a test asks for."""
import fcntl
import os
import select
import socket
import struct
import threading
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MTU = 60000


def _sum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def _packet(source, destination, ports, seq, ack, flags, payload):
    """IPv4 and TCP, checksums right, no options, the largest window."""
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination)
    tcp = struct.pack("!HHIIBBHHH", *ports, seq & 0xffffffff, ack & 0xffffffff, 5 << 4, flags,
                      65535, 0, 0) + payload
    check = _sum(pseudo + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", check) + tcp[18:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, socket.IPPROTO_TCP, 0)
    head += pseudo
    return head[:10] + struct.pack("!H", _sum(head)) + head[12:] + tcp


class Peer:
    """`remote` is the peer's address, `local` the device's in `namespace`."""

    def __init__(self, namespace, local, remote, name="handmade"):
        self.remote = remote
        with namespace.entered():
            self._device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self._device, TUNSETIFF,
                        struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        namespace.run("ip", "addr", "add", local, "peer", remote, "dev", name)
        namespace.run("ip", "link", "set", name, "mtu", str(MTU), "up")
        self.acked = 0
        self._isn = int.from_bytes(os.urandom(4), "big")
        self._next = None
        self._stops = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def connect(self, address):
        port = 20000 + int.from_bytes(os.urandom(2), "big") % 20000
        self._to, self._ports = address, (port, address[1])
        self._write(self._isn, 0, SYN)
        deadline = time.monotonic() + 5
        while self._next is None:
            assert time.monotonic() < deadline, "no answer to the SYN"
            self._hear()
        self._write(self._isn + 1, self._next, ACK)
        self._reader.start()

    def send(self, stream, start, end):
        """stream[start:end] in one segment."""
        self._write(self._isn + 1 + start, self._next, ACK | PSH, stream[start:end])
        self.sent = end

    def finish(self):
        self._write(self._isn + 1 + self.sent, self._next, ACK | FIN)

    def close(self):
        self._stops.set()
        if self._reader.is_alive():
            self._reader.join()
        os.close(self._device)

    def _write(self, seq, ack, flags, payload=b""):
        os.write(self._device, _packet(self.remote, self._to[0], self._ports, seq, ack, flags,
                                       payload))

    def _read(self):
        """Acknowledges what comes."""
        while not self._stops.is_set():
            self._hear()

    def _hear(self):
        if not select.select([self._device], [], [], 0.1)[0]:
            return
        packet = os.read(self._device, MTU + 100)
        if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
            return
        tcp = packet[(packet[0] & 15) * 4:]
        seq, ack, offset, flags = struct.unpack("!IIBB", tcp[4:14])
        self.acked = ack - self._isn - 1 & 0xffffffff
        length = len(tcp) - (offset >> 4) * 4 + bool(flags & SYN) + bool(flags & FIN)
        if flags & SYN or seq == self._next:
            self._next = seq + length & 0xffffffff
            if length and not flags & SYN:
                self._write(self._isn + 1 + self.sent, self._next, ACK)
