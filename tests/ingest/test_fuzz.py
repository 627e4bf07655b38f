"""Whatever happens to a log, reading it ends in records or in one clear error, and counts stay consistent."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import registry
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.records import ReadOptions

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
MODULES = {registry.load(e).FORMAT.format: registry.load(e) for e in registry.ENTRIES}
FILES = {
    name: [p for p in sorted((FIXTURES / name).rglob("*")) if p.is_file() and not {"metrics", "params"} & set(p.parts)]
    for name in MODULES
}


def damage(data: bytes, kind: str, seed: int) -> bytes:
    """Cut, shuffle, swap or garble a file as crashes, races and careless tools do."""
    rng = random.Random(seed)
    lines = data.split(b"\n")
    if kind == "cut":
        return data[: rng.randrange(len(data) + 1)]
    if kind == "shuffle":
        rng.shuffle(lines)
    elif kind == "swap":
        i = rng.randrange(len(lines))
        for separator in (b",", b"|", b" ", b":"):
            cells = lines[i].split(separator)
            if len(cells) > 2:
                a, b = rng.sample(range(len(cells)), 2)
                cells[a], cells[b] = cells[b], cells[a]
                lines[i] = separator.join(cells)
                break
    elif kind == "hole":
        start = rng.randrange(len(data))
        return data[:start] + bytes(rng.randrange(1, 40)) + data[start + rng.randrange(40) :]
    elif kind == "garble":
        out = bytearray(data)
        for _ in range(rng.randrange(1, 12)):
            out[rng.randrange(len(out))] = rng.randrange(256)
        return bytes(out)
    elif kind == "glue":
        i = rng.randrange(len(lines))
        lines[i : i + 2] = [b"".join(lines[i : i + 2])]
    elif kind == "huge":
        digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
        if digits:
            at = rng.choice(digits)
            return data[:at] + b"9" * rng.choice([5, 20, 400]) + data[at:]
    return b"\n".join(lines)


KINDS = ("cut", "shuffle", "swap", "hole", "garble", "glue", "huge")


@pytest.mark.parametrize("name", MODULES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3), seed=st.integers(0, 2**32), pick=st.integers(0, 9)
)
def test_a_damaged_file_never_crashes_its_reader(
    name: str, kinds: list[str], seed: int, pick: int, tmp_path: Path
) -> None:
    source = FILES[name][pick % len(FILES[name])]
    data = source.read_bytes()
    for i, kind in enumerate(kinds):
        data = damage(data, kind, seed + i) if data else data
    path = tmp_path / source.name
    path.write_bytes(data)
    file = LogFile(str(path))
    registry.identify(file)
    try:
        records = MODULES[name].read(file, ReadOptions())
    except EcoauditError as error:
        assert "\n" not in error.line()
        return
    for record in records:
        quality = record.quality
        assert quality.records >= 0 and quality.bad_lines >= 0
        assert len(quality.examples) <= quality.bad_lines
        if hasattr(record, "time_s"):
            time_s = record.time_s
            assert ((time_s[1:] >= time_s[:-1]) | (time_s[1:] != time_s[1:])).all()
        if hasattr(record, "energy_j") and record.energy_j is not None:
            assert record.energy_j.shape == record.power_w.shape
        if hasattr(record, "gpus"):
            assert record.power_w.shape == (len(record.time_s), len(record.gpus))
        steps = getattr(record, "steps", None)
        if steps is not None:
            assert len({len(steps.step), len(steps.time_s), len(steps.tokens), len(steps.loss)}) == 1


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_identified_or_not_but_never_crash(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    file = LogFile(str(path))
    if registry.identify(file) is None:
        assert registry.looks_like(file.head)
