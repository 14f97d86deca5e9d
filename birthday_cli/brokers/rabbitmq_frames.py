"""Deliveries in the bytes that RabbitMQ sends, read without an object for each frame and field.

pika makes a dozen of them, which is most of what a reference costs. A reference is a small message:
three frames side by side, which are the method basic.deliver, the content's header and its body.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

# AMQP 0-9-1, sections 2.3.5 and 2.3.5.2: the type, channel and size of a frame, then what it holds.
_METHOD = struct.Struct(">BHII")  # … the numbers of class and method, here as one
_HEADER = struct.Struct(">BHIHHQ")  # … the class, a weight, the size of the body
_BODY = struct.Struct(">BHI")
_TAG = struct.Struct(">Q")
_AROUND = 8  # bytes of a frame beside its size: the three fields, and a last byte
_LAST = 0xCE

_METHOD_FRAME, _HEADER_FRAME, _BODY_FRAME = 1, 2, 3
_BASIC_DELIVER = 60 << 16 | 60


class Delivered(NamedTuple):
    """A message: its delivery tag, its body, and where in the bytes the next frame starts."""

    tag: int
    body: bytes
    end: int


def read_delivery(received: bytes, start: int) -> Delivered | None:
    """Return the delivery that starts there.

    None if it is anything else: not all of it, another frame, a body in no frame or in several.
    Then the first frame of it is for pika, and so are the others.
    """
    try:
        kind, _, size, method = _METHOD.unpack_from(received, start)
        if kind != _METHOD_FRAME or method != _BASIC_DELIVER:
            return None
        consumer_tag = start + _METHOD.size
        (tag,) = _TAG.unpack_from(received, consumer_tag + 1 + received[consumer_tag])
        header = start + size + _AROUND
        kind, _, size, _, _, body_size = _HEADER.unpack_from(received, header)
        body = header + size + _AROUND
        body_kind, _, size = _BODY.unpack_from(received, body)
        end = body + size + _AROUND
        is_whole = received[header - 1] == received[body - 1] == received[end - 1] == _LAST
    except (struct.error, IndexError):
        return None
    if not is_whole or (kind, body_kind, size) != (_HEADER_FRAME, _BODY_FRAME, body_size):
        return None
    return Delivered(tag, received[body + _BODY.size : end - 1], end)
