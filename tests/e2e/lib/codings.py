# SPDX-License-Identifier: Apache-2.0
"""Content codings undone, by the libraries that the daemon itself is linked with."""
import ctypes
import gzip

LARGEST = 1 << 24


def _gzip(packed):
    return gzip.decompress(packed)


def _brotli(packed):
    library = ctypes.CDLL("libbrotlidec.so.1")
    size, out = ctypes.c_size_t(LARGEST), ctypes.create_string_buffer(LARGEST)
    if library.BrotliDecoderDecompress(ctypes.c_size_t(len(packed)), packed, ctypes.byref(size),
                                       out) != 1:
        raise ValueError("no whole stream of brotli")
    return out.raw[:size.value]


def _zstd(packed):
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_decompress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(LARGEST)
    size = library.ZSTD_decompress(out, ctypes.c_size_t(LARGEST), packed,
                                   ctypes.c_size_t(len(packed)))
    if library.ZSTD_isError(ctypes.c_size_t(size)):
        raise ValueError("no whole frames of zstd")
    return out.raw[:size]


DECODERS = {"gzip": _gzip, "br": _brotli, "zstd": _zstd}


def unpacked(message):
    """The body of an answer, whatever its coding. ValueError: it is not of that coding."""
    coding = message.get("content-encoding")
    try:
        return DECODERS[coding](message.body) if coding else message.body
    except (OSError, EOFError) as error:
        raise ValueError(str(error)) from error
