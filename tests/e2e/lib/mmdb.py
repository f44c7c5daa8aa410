# SPDX-License-Identifier: Apache-2.0
"""Writes databases in MaxMind's format (DB file format specification 2.0), small ones for tests.

    python3 tests/e2e/lib/mmdb.py DIRECTORY     those of the unit tests
"""
import ipaddress
import pathlib
import struct
import sys

METADATA = b"\xab\xcd\xefMaxMind.com"
SEPARATOR = bytes(16)
UTF8, DOUBLE, UINT16, UINT32, MAP, UINT64, ARRAY = 2, 3, 5, 6, 7, 9, 11


class UInt64(int):
    pass


class UInt16(int):
    pass


def control(kind, size):
    """The control byte of a value, and what belongs to it."""
    first, extended = (kind << 5, b"") if kind <= MAP else (0, bytes([kind - 7]))
    if size < 29:
        return bytes([first | size]) + extended
    if size < 285:
        return bytes([first | 29]) + extended + bytes([size - 29])
    return bytes([first | 30]) + extended + struct.pack(">H", size - 285)


def number(kind, value):
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return control(kind, len(raw)) + raw


def encode(value):
    if isinstance(value, dict):
        return control(MAP, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, list):
        return control(ARRAY, len(value)) + b"".join(map(encode, value))
    if isinstance(value, str):
        raw = value.encode()
        return control(UTF8, len(raw)) + raw
    if isinstance(value, float):
        return control(DOUBLE, 8) + struct.pack(">d", value)
    if isinstance(value, UInt64):
        return number(UINT64, value)
    if isinstance(value, UInt16):
        return number(UINT16, value)
    return number(UINT32, value)


class Tree:
    """Nodes are lists of two: a node, a record's offset, or None."""

    def __init__(self, bits):
        self.bits, self.root = bits, [None, None]

    def insert(self, number, length, value):
        node = self.root
        for depth in range(length - 1):
            side = number >> (self.bits - 1 - depth) & 1
            if not isinstance(node[side], list):
                node[side] = [node[side], node[side]]
            node = node[side]
        node[number >> (self.bits - length) & 1] = value

    def find(self, number, length):
        node = self.root
        for depth in range(length):
            node = node[number >> (self.bits - 1 - depth) & 1] if isinstance(node, list) else node
        return node

    def nodes(self):
        """Each once, the root first."""
        order, seen = [self.root], {id(self.root): 0}
        for node in order:
            for child in node:
                if isinstance(child, list) and id(child) not in seen:
                    seen[id(child)] = len(order)
                    order.append(child)
        return order, seen


def pack_node(left, right, size):
    if size == 28:
        return struct.pack(">I", left)[1:] + bytes([(left >> 24 << 4) | right >> 24]) + struct.pack(">I", right)[1:]
    return b"".join(value.to_bytes(size // 8, "big") for value in (left, right))


def place(tree, version, network):
    """Where a network hangs: IPv4 at ::/96 of a tree for IPv6."""
    net = ipaddress.ip_network(network)
    is_within = version == 6 and net.version == 4
    return int(net.network_address), net.prefixlen + (96 if is_within else 0)


def database(networks, kind="Test", *, version=6, size=24, has_aliases=True):
    """The bytes of a database of {network: record}, where the longer prefixes win."""
    tree, records, offsets = Tree(128 if version == 6 else 32), bytearray(), {}
    for network, record in sorted(networks.items(), key=lambda item: ipaddress.ip_network(item[0]).prefixlen):
        raw = encode(record)
        if raw not in offsets:
            offsets[raw] = len(records)
            records += raw
        tree.insert(*place(tree, version, network), offsets[raw])
    v4 = tree.find(0, 96) if version == 6 else None
    if has_aliases and isinstance(v4, list):
        for prefix in ("::ffff:0:0/96", "2002::/16"):
            tree.insert(*place(tree, version, prefix), v4)
    return pack(tree, records, kind, version, size)


def maze(record, kind="Test", levels=30):
    """A few nodes that all lead to the next one twice: nobody comes to the end of its networks."""
    tree, node = Tree(32), [0, None]
    for _ in range(levels - 1):
        node = [node, node]
    tree.root = node
    return pack(tree, encode(record), kind, 4, 24)


def pack(tree, records, kind, version, size):
    """The bytes of a database."""
    order, numbers = tree.nodes()

    def value(child):
        if child is None:
            return len(order)
        return numbers[id(child)] if isinstance(child, list) else len(order) + 16 + child

    body = b"".join(pack_node(value(left), value(right), size) for left, right in order)
    metadata = {"node_count": len(order), "record_size": UInt16(size), "ip_version": UInt16(version),
                "database_type": kind, "languages": ["en"], "binary_format_major_version": UInt16(2),
                "binary_format_minor_version": UInt16(0), "build_epoch": UInt64(1700000000),
                "description": {"en": "made by tests"}}
    return body + SEPARATOR + bytes(records) + METADATA + encode(metadata)


def country(code, continent):
    return {"country": {"iso_code": code}, "continent": {"code": continent}}


def city(code, continent, latitude, longitude):
    return {**country(code, continent), "location": {"latitude": latitude, "longitude": longitude}}


def system(asn, name):
    return {"autonomous_system_number": asn, "autonomous_system_organization": name}


def write(path, networks, *args, **kwargs):
    """At once, as geoipupdate does it: nobody sees half a file."""
    path = pathlib.Path(path)
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(database(networks, *args, **kwargs))
    beside.rename(path)
    return path


def main(directory):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    write(directory / "country.mmdb", {
        "192.0.2.0/24": country("DE", "EU"),
        "192.0.2.128/25": country("FR", "EU"),
        "198.51.100.0/24": country("US", "NA"),
        "198.51.100.77/32": {"registered_country": {"iso_code": "CA"}},
        "203.0.113.0/24": country("DE", "EU"),
        "2001:db8::/32": country("JP", "AS"),
        "2001:db8:8000::/33": country("DE", "EU"),
    }, "Test-Country")
    write(directory / "country4.mmdb", {
        "0.0.0.0/1": country("AU", "OC"),
        "192.0.2.0/24": country("DE", "EU"),
    }, "Test-Country", version=4, size=32)
    write(directory / "city.mmdb", {
        "192.0.2.0/24": city("DE", "EU", 50.11, 8.68),
        "198.51.100.0/24": city("US", "NA", 40.71, -74.0),
        "198.51.100.128/25": {"location": {"latitude": 91.0, "longitude": 0.0}},
    }, "Test-City", size=28)
    write(directory / "other.mmdb", {"192.0.2.0/24": {"is_anycast": "yes"}}, "Test-Other")
    write(directory / "asn.mmdb", {
        "192.0.2.0/26": system(64500, "Example Net"),
        "198.51.100.0/25": system(64501, "Other Net"),
        "2001:db8::/48": system(64502, "Six Net"),
    }, "Test-ASN", size=32)


if __name__ == "__main__":
    main(sys.argv[1])
