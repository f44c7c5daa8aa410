# SPDX-License-Identifier: Apache-2.0
"""A TLS client on libssl itself, for what Python's ssl does not do: KeyUpdate, and what was heard."""
import ctypes
import socket
import struct

_ssl = ctypes.CDLL("libssl.so.3")
_ssl.TLS_client_method.restype = ctypes.c_void_p
_ssl.SSL_CTX_new.restype = _ssl.SSL_new.restype = ctypes.c_void_p
for _name, _types in {
        "SSL_CTX_new": [ctypes.c_void_p],
        "SSL_CTX_free": [ctypes.c_void_p],
        "SSL_CTX_ctrl": [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p],
        "SSL_CTX_set_cipher_list": [ctypes.c_void_p, ctypes.c_char_p],
        "SSL_CTX_set_ciphersuites": [ctypes.c_void_p, ctypes.c_char_p],
        "SSL_new": [ctypes.c_void_p],
        "SSL_free": [ctypes.c_void_p],
        "SSL_set_fd": [ctypes.c_void_p, ctypes.c_int],
        "SSL_set_msg_callback": [ctypes.c_void_p, ctypes.c_void_p],
        "SSL_connect": [ctypes.c_void_p],
        "SSL_write": [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int],
        "SSL_read": [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int],
        "SSL_get_error": [ctypes.c_void_p, ctypes.c_int],
        "SSL_get_shutdown": [ctypes.c_void_p],
        "SSL_shutdown": [ctypes.c_void_p],
        "SSL_key_update": [ctypes.c_void_p, ctypes.c_int],
        "SSL_do_handshake": [ctypes.c_void_p]}.items():
    getattr(_ssl, _name).argtypes = _types

_MESSAGE = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p,
                            ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p)
_SET_MIN, _SET_MAX = 123, 124
_HANDSHAKE, _KEY_UPDATE = 22, 24
_ZERO_RETURN, _RECEIVED_SHUTDOWN = 6, 2
TLS_1_2, TLS_1_3 = 0x0303, 0x0304
NOT_REQUESTED, REQUESTED = 0, 1


class Client:
    """A connection that verifies nobody. As a socket: sendall(), recv(), close()."""

    def __init__(self, sock, version, cipher=None, timeout=60):
        self.sock, self.key_updates, self.has_said_goodbye = sock, 0, False
        sock.settimeout(None)
        for option in socket.SO_RCVTIMEO, socket.SO_SNDTIMEO:
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", timeout, 0))
        self._context = _ssl.SSL_CTX_new(_ssl.TLS_client_method())
        for command in _SET_MIN, _SET_MAX:
            assert _ssl.SSL_CTX_ctrl(self._context, command, version, None) == 1
        if cipher:
            choose = _ssl.SSL_CTX_set_cipher_list if version == TLS_1_2 else _ssl.SSL_CTX_set_ciphersuites
            assert choose(self._context, cipher.encode()) == 1
        self._ssl = _ssl.SSL_new(self._context)
        self._on_message = _MESSAGE(self._hear)
        _ssl.SSL_set_msg_callback(self._ssl, ctypes.cast(self._on_message, ctypes.c_void_p))
        _ssl.SSL_set_fd(self._ssl, sock.fileno())
        assert _ssl.SSL_connect(self._ssl) == 1

    def _hear(self, is_written, _version, kind, message, size, *_rest):
        if not is_written and kind == _HANDSHAKE and size and ctypes.string_at(message, 1)[0] == _KEY_UPDATE:
            self.key_updates += 1

    def sendall(self, data):
        assert _ssl.SSL_write(self._ssl, data, len(data)) == len(data)

    def recv(self, size):
        room = ctypes.create_string_buffer(size)
        got = _ssl.SSL_read(self._ssl, room, size)
        if got > 0:
            return room.raw[:got]
        error = _ssl.SSL_get_error(self._ssl, got)
        self.has_said_goodbye = bool(_ssl.SSL_get_shutdown(self._ssl) & _RECEIVED_SHUTDOWN)
        if error == _ZERO_RETURN:
            return b""
        raise ConnectionError(f"SSL_read: error {error}")

    def update_key(self, kind):
        """Says KeyUpdate, and sends with new keys from here on."""
        assert _ssl.SSL_key_update(self._ssl, kind) == 1
        assert _ssl.SSL_do_handshake(self._ssl) == 1

    def say_goodbye(self):
        """close_notify and FIN; what comes can still be read."""
        _ssl.SSL_shutdown(self._ssl)
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        if self._ssl:
            _ssl.SSL_free(self._ssl)
            _ssl.SSL_CTX_free(self._context)
            self.sock.close()
        self._ssl = None

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()
