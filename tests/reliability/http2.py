# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 frames as bytes, to send what no gRPC client would."""

import struct

HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4

CLASSIFY = "/lipserve.v1.ClassifierService/Classify"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"


def frame(kind, payload=b"", flags=0, stream=0):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


# What a client says first.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS)


def settings(**values):
    numbers = {"table_size": 1, "initial_window": 4, "frame_size": 5}
    return frame(SETTINGS, b"".join(struct.pack(">HI", numbers[name], value)
                                    for name, value in values.items()))


def integer(value, prefix_bits):
    """RFC 7541, 5.1, with the bits before it zero."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([value])
    out, value = bytearray([most]), value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out) + bytes([value])


def literal(name, value):
    """A header that is not indexed, without Huffman coding."""
    return b"\0" + integer(len(name), 7) + name + integer(len(value), 7) + value


def call_block(path):
    return b"".join(literal(name, value) for name, value in (
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()),
        (b":authority", b"flood"), (b"te", b"trailers"), (b"content-type", b"application/grpc")))


def call(stream, path=HEALTH_CHECK, message=b""):
    """A whole unary call."""
    data = b"\0" + struct.pack(">I", len(message)) + message
    return (frame(HEADERS, call_block(path), END_HEADERS, stream)
            + frame(0, data, END_STREAM, stream))


def reset(stream):
    return frame(RST_STREAM, struct.pack(">I", 8), 0, stream)
