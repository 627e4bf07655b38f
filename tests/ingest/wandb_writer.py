"""Writes `.wandb` run files as the SDKs do: protobuf records in LevelDB's log format behind a header of 7 bytes."""

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

HEADER = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
BLOCK = 32 * 1024


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def part(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def timestamp(seconds: float) -> bytes:
    return number(1, int(seconds)) + number(2, round(seconds % 1 * 1e9))


def items(field: int, row: Mapping[str, Any], *, nested: bool = False) -> bytes:
    """Return items of key (1, or nested_key 2 per part of a name with dots) and value_json (16)."""
    return b"".join(
        part(
            field,
            (b"".join(part(2, name) for name in key.split(".")) if nested else part(1, key))
            + part(16, json.dumps(value)),
        )
        for key, value in row.items()
    )


def history(row: Mapping[str, Any], *, nested: bool = False) -> bytes:
    return part(2, items(1, row, nested=nested))


def summary(row: Mapping[str, Any]) -> bytes:
    return part(3, items(1, row))


def config(row: Mapping[str, Any]) -> bytes:
    return part(5, items(1, row))


def stats(time_s: float, row: Mapping[str, Any]) -> bytes:
    return part(7, part(2, timestamp(time_s)) + items(3, row))


def run(start_s: float, settings: Mapping[str, Any] | None = None, run_id: str = "abc") -> bytes:
    """Return a run record with what no report may show: the names of host and user."""
    return part(
        17,
        part(1, run_id)
        + part(2, "alice")
        + part(4, items(1, settings or {}))
        + part(13, "secret-host")
        + part(17, timestamp(start_s)),
    )


def environment(boards: Iterable[tuple[str, int, str]]) -> bytes:
    listed = b"".join(part(24, part(1, name) + number(2, size) + part(5, uuid)) for name, size, uuid in boards)
    return part(26, part(10, "alice@example.org") + part(12, "secret-host") + listed)


def finish(code: int, runtime_s: int) -> bytes:
    return part(18, number(1, code) + number(2, runtime_s))


def chunk(kind: int, data: bytes) -> bytes:
    return struct.pack("<IHB", zlib.crc32(data, zlib.crc32(bytes([kind]))), len(data), kind) + data


def frames(records: Iterable[bytes], *, origin: int = 0) -> bytes:
    """Return the file of records as they are; its blocks begin at `origin` (7 in some SDKs with the Go core)."""
    out = bytearray(HEADER)
    for record in records:
        data, first = record, True
        while True:
            room = BLOCK - (len(out) - origin) % BLOCK
            if room < 7:
                out += bytes(room)
                continue
            now, data = data[: room - 7], data[room - 7 :]
            kind = (1 if first else 4) if not data else (2 if first else 3)
            out += chunk(kind, now)
            first = False
            if not data:
                break
    return bytes(out)


def log(records: Iterable[bytes], *, origin: int = 0) -> bytes:
    """Return the file of records, which are numbered as the SDKs do."""
    return frames((number(1, count) + record for count, record in enumerate(records)), origin=origin)


def sample() -> list[bytes]:
    """Return the records of a run of six steps with one evaluation on two GPUs, one of them its own."""
    start = 1764000000.0
    records = [
        run(start, {"dtype": "bfloat16", "_wandb": {}}),
        environment(("NVIDIA H100 80GB HBM3", 85520809984, f"GPU-{i}") for i in range(2)),
        config({"model": {"n_layer": 12, "n_embd": 768, "n_params": 124e6}, "seq_len": 1024}),
    ]
    for step in range(1, 7):
        now = start + 10.0 * step
        records.append(
            history(
                {
                    "train/loss": 9.0 - step,
                    "train/global_step": 10 * step,
                    "tokens_seen": 81920 * step,
                    "_timestamp": now,
                    "_runtime": 10.0 * step,
                    "_step": step - 1,
                }
            )
        )
        gpus = {
            f"gpu.{gpu}.{name}": value
            for gpu, power in ((0, 400.0 + step), (1, 70.0))
            for name, value in (
                ("powerWatts", power),
                ("gpu", 99.0 if gpu == 0 else 0.0),
                ("enforcedPowerLimitWatts", 700.0),
            )
        }
        records.append(stats(now, gpus | {"gpu.process.0.powerWatts": 400.0 + step}))
    records.append(history({"eval/loss": 3.5, "eval/runtime": 4.0, "_timestamp": start + 66.0, "_step": 6}))
    return [*records, finish(0, 70)]
