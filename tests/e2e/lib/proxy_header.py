# SPDX-License-Identifier: Apache-2.0
"""PROXY protocol headers, written and read independently of sluiced.
Source: haproxy.org, "The PROXY protocol, versions 1 & 2"."""
import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source, destination):
    family = "TCP6" if ":" in source[0] else "TCP4"
    return f"PROXY {family} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


def v2(source, destination, tlvs=b"", command=1):
    is_v6 = ":" in source[0]
    body = (ipaddress.ip_address(source[0]).packed + ipaddress.ip_address(destination[0]).packed
            + struct.pack("!HH", source[1], destination[1]) + tlvs)
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, 0x21 if is_v6 else 0x11, len(body)) + body


def v2_local():
    return SIGNATURE + struct.pack("!BBH", 0x20, 0, 0)


def split_v1(data):
    """(words of the header, what follows)."""
    line, _, rest = data.partition(b"\r\n")
    return line.decode().split(" "), rest


def split_v2(data):
    """({command, source, destination, tlvs}, what follows)."""
    assert data.startswith(SIGNATURE), data[:32]
    version_command, family, length = struct.unpack("!BBH", data[12:16])
    assert version_command >> 4 == 2
    body, rest = data[16:16 + length], data[16 + length:]
    size = {0x11: 4, 0x21: 16}.get(family)
    header = {"command": version_command & 15, "family": family}
    if size:
        source_port, destination_port = struct.unpack("!HH", body[2 * size:2 * size + 4])
        header["source"] = (str(ipaddress.ip_address(body[:size])), source_port)
        header["destination"] = (str(ipaddress.ip_address(body[size:2 * size])), destination_port)
        header["tlvs"] = body[2 * size + 4:]
    return header, rest
