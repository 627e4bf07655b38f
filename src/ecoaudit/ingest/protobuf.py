"""The protobuf wire format, as far as logs need it: numbered fields of a message, no schema, no dependency.

https://protobuf.dev/programming-guides/encoding/: a key (field number, wire type) before each value.
"""

from collections.abc import Iterator


def fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield `(field number, value)` of a message: varints as int, everything else as bytes.

    Raises `ValueError` or `IndexError` where the message is cut or is none.
    """
    position, end = 0, len(data)
    while position < end:
        key = data[position]
        if key < 0x80:  # one byte is nearly always enough
            position += 1
        else:
            key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == 2:
            size = data[position]
            if size < 0x80:
                position += 1
            else:
                size, position = _varint(data, position)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if position + size > end:
            raise ValueError("field beyond the end")
        yield number, data[position : position + size]
        position += size


def messages(data: bytes, number: int) -> Iterator[bytes]:
    """Yield the values of one length-delimited field of a message; others are skipped."""
    for found, value in fields(data):
        if found == number and isinstance(value, bytes):
            yield value


def signed(value: int) -> int:
    """Return an int64 field's varint with its sign."""
    return value - (1 << 64) if value >= 1 << 63 else value


def zigzag(value: int) -> int:
    """Return an sint64 field's varint with its sign."""
    return (value >> 1) ^ -(value & 1)


def timestamp_s(data: bytes) -> float:
    """Return Unix seconds of a `google.protobuf.Timestamp` (seconds 1, nanos 2)."""
    parts = {number: signed(value) for number, value in fields(data) if isinstance(value, int)}
    return parts.get(1, 0) + parts.get(2, 0) * 1e-9


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")
