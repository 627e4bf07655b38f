"""Samples read as columns are what a JSON decoder reads, to the last bit, whatever stands between them."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import ReadOptions, Telemetry
from ecoaudit.ingest.telemetry import ecoaudit_jsonl, ecoaudit_lines

T0 = 1_764_000_000.0
HEADER = json.dumps(
    {
        "type": "header",
        "schema": "ecoaudit.telemetry/1",
        "host": "n01",
        "interval_s": 1.0,
        "gpus": [{"index": 0, "uuid": "GPU-0"}, {"index": 1, "uuid": "GPU-1"}],
    }
)
NODE_METER_BESIDE_A_LOST_CLOCK = [
    f'{{"type":"sample","t":{T0:.0f},"m":14.0,"power_w":[1.5,2.5],"node_w":1900.5}}',
    f'{{"type":"sample","t":{T0 + 2:.0f},"power_w":[1.5,2.5]}}',
    f'{{"type":"sample","t":{T0 + 3:.0f},"m":17.0,"power_w":[1.5,2.5]}}',
]

number = st.one_of(
    st.integers(-(10**16), 10**16),
    st.floats(0, 1e9, allow_nan=False).map(lambda x: round(x, 3)),
    st.floats(allow_nan=False, allow_infinity=False),
)
pair = st.one_of(st.none(), st.lists(st.one_of(number, number, number, st.none()), min_size=2, max_size=2))


@st.composite
def sample(draw: st.DrawFn, i: int) -> str:
    fields: dict[str, Any] = {"type": "sample", "t": round(T0 + i + draw(st.floats(0, 0.1)), 3), "m": 10.0 + i}
    fields |= {"power_w": draw(pair), "energy_j": draw(pair)}
    if draw(st.integers(0, 9)) == 0:
        fields["util"] = draw(pair)
    if draw(st.integers(0, 3)) == 0:
        fields["rapl_j"] = {"package-0": draw(st.floats(0, 1e6))}
    if draw(st.integers(0, 3)) == 0:
        fields["node_w"] = draw(st.one_of(st.none(), number))
    fields["sample_us"] = draw(st.integers(0, 5000))
    return json.dumps(fields, separators=(",", ":"))


@st.composite
def document(draw: st.DrawFn) -> bytes:
    lines = [HEADER]
    for i in range(draw(st.integers(1, 12))):
        lines.append(draw(sample(i)))
        if draw(st.integers(0, 9)) == 0:
            lines.append(json.dumps({"type": "event", "t": T0 + i, "name": "step", "value": i}))
        if draw(st.integers(0, 14)) == 0:
            lines.append(HEADER)
    data = bytearray("\n".join(lines).encode() + b"\n" * draw(st.integers(0, 1)))
    for _ in range(draw(st.integers(0, 4))):  # damage anywhere: bytes changed, cut out or doubled
        at = draw(st.integers(len(HEADER), len(data)))
        match draw(st.integers(0, 2)):
            case 0:
                data[at : at + 1] = draw(
                    st.sampled_from([b"0", b"7", b".", b"-", b"\0", b"\xff", b"}", b"\n", b"e", b"x"])
                )
            case 1:
                del data[at : at + draw(st.integers(1, 60))]
            case _:
                data[at:at] = data[max(0, at - draw(st.integers(1, 60))) : at]
    return bytes(data)


def read(path: Path) -> list[Telemetry]:
    return ecoaudit_jsonl.read(LogFile(str(path)), ReadOptions())


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and np.array_equal(a, b, equal_nan=True)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def by_line(block: bytes, number: int, _: object, account: Account) -> tuple[list[Any], int]:
    return ecoaudit_lines._line_by_line(block.removesuffix(b"\n"), number, account), block.count(b"\n")


def read_or_refuse(path: Path) -> tuple[list[Telemetry], str | None]:
    """Return what was read, or nothing and why the file was refused."""
    try:
        return read(path), None
    except EcoauditError as error:
        return [], error.line()


def assert_read_alike(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Telemetry]:
    fast, refused = read_or_refuse(path)
    with monkeypatch.context() as patch:
        patch.setattr(ecoaudit_lines, "_by_columns", by_line)
        slow, refused_by_line = read_or_refuse(path)
    assert refused == refused_by_line
    assert len(fast) == len(slow)
    for a, b in zip(fast, slow, strict=True):
        for name in Telemetry.__slots__:
            assert same(getattr(a, name), getattr(b, name)), name
    return fast


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(data=document())
@example(data="\n".join([HEADER, *NODE_METER_BESIDE_A_LOST_CLOCK, ""]).encode())
def test_columns_and_lines_give_the_same_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(ecoaudit_lines, "_MOSTLY", 1.0)
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    assert_read_alike(path, monkeypatch)


def regular(i: int) -> str:
    power, energy = [500.0 + i % 7 / 10, 600.0], [500.125 * i, 600.0 * i]
    fields = {"type": "sample", "t": T0 + i, "m": 10.0 + i, "power_w": power, "energy_j": energy, "util": [99, 100]}
    if i % 10 == 0:
        fields["rapl_j"] = {"package-0": 50.5 * i}
    if i % 60 == 0:
        fields["temperature_c"] = [61, 7]
    return json.dumps(fields, separators=(",", ":"))


def test_nearly_all_lines_of_a_recorder_are_read_as_columns(
    write: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [HEADER, *(regular(i) for i in range(600))]
    path = Path(write("a.jsonl", "\n".join(lines) + "\n"))
    decoded: list[bytes] = []
    line_by_line = ecoaudit_lines._line_by_line
    monkeypatch.setattr(
        ecoaudit_lines, "_line_by_line", lambda block, *rest: decoded.append(block) or line_by_line(block, *rest)
    )
    (telemetry,) = read(path)
    assert len(telemetry.time_s) == 600
    assert decoded == [HEADER.encode()]


@pytest.mark.parametrize(
    "damaged",
    [
        regular(7).replace('"t":1', '"t":01'),
        regular(7).replace("500.0", "500."),
        regular(7).replace("power_w", "pow3er_w"),
        regular(7).replace('"type":"sample"', '"type":"sam1ple"'),
        regular(7).replace(",", ";", 1),
        regular(7)[:40],
        regular(7)[:40] + "\0" * 60,
    ],
    ids=["leading zero", "no digit behind the point", "digit in a key", "digit in the type", "comma", "cut", "hole"],
)
def test_a_damaged_line_among_good_ones_is_kept_with_its_number(
    write: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch, damaged: str
) -> None:
    lines = [HEADER, *(regular(i) for i in range(100))]
    lines.insert(51, damaged)
    (telemetry,) = assert_read_alike(Path(write("a.jsonl", "\n".join(lines) + "\n")), monkeypatch)
    quality = telemetry.quality
    if "pow3er" in damaged:  # an unknown key is no damage; the known one is absent, so it is as before
        assert quality.bad_lines == 0 and len(telemetry.time_s) == 101
    elif "sam1ple" in damaged:
        assert any("sam1ple" in warning for warning in quality.warnings)
    else:
        assert quality.bad_lines == 1
        assert quality.examples[0].line == 52
        assert quality.examples[0].text[:30] == damaged[:30]
        assert quality.examples[0].reason


def test_numbers_are_the_nearest_to_their_decimals(
    write: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)
    lines = [HEADER]
    for i in range(2000):
        digits = int(random.integers(1, 13))
        whole, part = int(random.integers(0, 10**digits)), int(random.integers(1, 7))
        value = f"{whole}.{int(random.integers(0, 10**part)):0{part}d}"
        lines.append(f'{{"type":"sample","t":{T0 + i},"energy_j":[{value},-{value}]}}')
    (telemetry,) = assert_read_alike(Path(write("a.jsonl", "\n".join(lines) + "\n")), monkeypatch)
    assert telemetry.energy_j is not None
    texts = [json.loads(line)["energy_j"] for line in lines[1:]]
    assert telemetry.energy_j.tolist() == texts
