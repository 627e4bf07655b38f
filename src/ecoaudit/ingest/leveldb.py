"""The log format of LevelDB, in which W&B keeps its `.wandb` files: blocks of 32 KiB that hold chunks of records.

https://github.com/google/leveldb/blob/main/doc/log_format.md: a chunk is checksum (uint32), length (uint16), type
(uint8: 1 whole record, 2 first, 3 middle, 4 last part) and data; a block's last bytes that hold no chunk are zero.
W&B's checksum is the plain CRC-32 of type and data, and a header of 7 bytes comes before the first chunk.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator

from ecoaudit.ingest.lines import Account

BLOCK_BYTES = 32 * 1024
FILE_HEADER_BYTES = 7
_CHUNK = struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_SEED = {kind: zlib.crc32(bytes([kind])) for kind in (_WHOLE, _FIRST, _MIDDLE, _LAST)}


def records(pieces: Iterable[bytes], account: Account) -> Iterator[bytes]:
    """Yield each whole record of a file given in pieces.

    A damaged chunk costs the rest of its block, as in LevelDB, and is counted as bad in `account`; the torn end of a
    file whose writer was killed costs the last record and is a warning.
    """
    held: list[bytes] = []
    intact = True
    for number, (block, start, is_last) in enumerate(_blocks(pieces)):
        position = start
        while position + _CHUNK.size <= len(block):
            chunk = _chunk(block, position)
            if chunk is None:
                torn = is_last and position + _CHUNK.size + _length(block, position) > len(block)
                if not torn and any(block[position:]):
                    account.bad(
                        account.lines + 1, f"block {number}, byte {position}", "damaged: the block's rest is lost"
                    )
                intact = intact and not torn
                held = []
                break
            kind, data = chunk
            position += _CHUNK.size + len(data)
            if kind in (_WHOLE, _FIRST):
                held = [data]
            elif held:
                held.append(data)
            if kind in (_WHOLE, _LAST) and held:
                yield b"".join(held)
                held = []
        else:
            intact = intact and (not is_last or not any(block[position:]))
    if held or not intact:
        account.warn("the file ends inside a record: its writer was stopped, everything before is read")


def _chunk(block: bytes, position: int) -> tuple[int, bytes] | None:
    """Return type and data of the chunk at `position`, None where there is none or it is damaged."""
    checksum, length, kind = _CHUNK.unpack_from(block, position)
    start = position + _CHUNK.size
    data = block[start : start + length]
    if kind not in _SEED or len(data) < length or zlib.crc32(data, _SEED[kind]) != checksum:
        return None
    return kind, data


def _length(block: bytes, position: int) -> int:
    return int(_CHUNK.unpack_from(block, position)[1])


def _blocks(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, int, bool]]:
    """Yield `(block, where its first chunk begins, whether it is the last one)`."""
    stream = iter(pieces)
    held = b""
    for piece in stream:
        held += piece
        if len(held) > 2 * BLOCK_BYTES:
            break
    # Blocks begin at byte 0, but SDKs 0.17.0 to 0.17.5 with the Go core began them behind the file's header.
    size = BLOCK_BYTES + max((0, FILE_HEADER_BYTES), key=lambda shift: _intact(held, BLOCK_BYTES + shift))
    start = FILE_HEADER_BYTES
    for piece in stream:
        held += piece
        while len(held) > size:
            yield held[:size], start, False
            held, start, size = held[size:], 0, BLOCK_BYTES
    while len(held) > size:
        yield held[:size], start, False
        held, start, size = held[size:], 0, BLOCK_BYTES
    yield held, start, True


def _intact(data: bytes, first_size: int) -> int:
    """Return how many bytes of the first two blocks are intact where the first is `first_size` long."""
    total = 0
    for block, start in ((data[:first_size], FILE_HEADER_BYTES), (data[first_size : first_size + BLOCK_BYTES], 0)):
        position = start
        while position + _CHUNK.size <= len(block) and (chunk := _chunk(block, position)) is not None:
            position += _CHUNK.size + len(chunk[1])
        total += position
        if any(block[position:]):
            break
    return total
