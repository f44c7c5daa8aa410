# SPDX-License-Identifier: Apache-2.0
"""A name server for tests: A records only, from a dictionary that the test may change. No addresses: no such name."""
import socket
import struct
import threading

A, IN = 1, 1
ANSWER, SERVER_FAILURE, NO_SUCH_NAME = 0x8580, 0x8582, 0x8583
FAILS = object()  # in place of a name's addresses
TTL = 1


def _question(query):
    """(name, type, the question section as it came)."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    return ".".join(labels).lower(), struct.unpack_from("!H", query, at + 1)[0], query[12:at + 5]


class Server:
    def __init__(self, namespace, records):
        self.records = records  # name → addresses or FAILS; a name that is missing does not exist
        self._socket = namespace.socket(kind=socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _answer(self, query):
        name, kind, question = _question(query)
        known = self.records.get(name, ())
        flags = SERVER_FAILURE if known is FAILS else ANSWER if known else NO_SUCH_NAME
        addresses = known if flags == ANSWER and kind == A else []
        head = query[:2] + struct.pack("!5H", flags, 1, len(addresses), 0, 0)
        answers = b"".join(struct.pack("!HHHIH", 0xc00c, A, IN, TTL, 4) + socket.inet_aton(address)
                           for address in addresses)
        return head + question + answers

    def _serve(self):
        while True:
            query, peer = self._socket.recvfrom(512)
            if not query:
                return
            self._socket.sendto(self._answer(query), peer)

    def close(self):
        self._socket.sendto(b"", self._socket.getsockname())  # ends the thread
        self._thread.join()
        self._socket.close()
