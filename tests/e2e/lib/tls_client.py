# SPDX-License-Identifier: Apache-2.0
"""A TLS client whose ClientHello can be cut, byte by byte or record by record, before it is sent."""
import socket
import ssl
import time


def whole(hello):
    return [hello]


def one_byte_at_a_time(hello):
    return [hello[i:i + 1] for i in range(len(hello))]


def small_records(hello):
    """The same handshake message in records of 10 bytes, in one piece."""
    body = hello[5:]
    parts = [body[i:i + 10] for i in range(0, len(body), 10)]
    return [b"".join(hello[:3] + len(p).to_bytes(2, "big") + p for p in parts)]


def handshake(sock, server_name, alpn=(), cut=whole, pause=0.0):
    """The certificate (DER) that the server showed, and the protocol chosen."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=server_name)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    pieces = cut
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            data = outgoing.read()
            for piece in pieces(data) if data else []:
                sock.sendall(piece)
                time.sleep(pause)
            pieces = whole
            got = sock.recv(65536)
            if not got:
                raise ConnectionError("closed during the handshake")
            incoming.write(got)
    sock.sendall(outgoing.read())
    return tls.getpeercert(True), tls.selected_alpn_protocol()


def certificate_der(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())
