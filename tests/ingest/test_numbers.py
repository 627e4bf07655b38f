"""Numbers that cannot be (zero steps, 1e308 tokens, negative seconds) end no reading of a log of any format."""

import random
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import registry
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.records import ReadOptions, TrainingLog

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
MODULES = {registry.load(e).FORMAT.format: registry.load(e) for e in registry.ENTRIES}
FILES = {name: [p for p in sorted((FIXTURES / name).rglob("*")) if p.is_file()] for name in MODULES}
NAMES = [name for name, files in FILES.items() if files]
NUMBER = re.compile(rb"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
IMPOSSIBLE = (b"0", b"0.0", b"-1", b"", b"nan", b"inf", b"1e308", b"1e-300", b"99999999999999999999", b"1")


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    pick=st.integers(0, 9),
    share=st.sampled_from([0.02, 0.1, 0.5]),
    everywhere=st.booleans(),
)
def test_impossible_numbers_end_no_reading(
    name: str, seed: int, pick: int, share: float, everywhere: bool, tmp_path: Path
) -> None:
    source, rng = FILES[name][pick % len(FILES[name])], random.Random(seed)
    data = source.read_bytes()
    if everywhere:
        data = data.replace(rng.choice(NUMBER.findall(data) or [b"1"]), rng.choice(IMPOSSIBLE))
    else:
        data = NUMBER.sub(lambda m: rng.choice(IMPOSSIBLE) if rng.random() < share else m[0], data)
    path = tmp_path / source.name
    path.write_bytes(data)
    try:
        logs = MODULES[name].read(LogFile(str(path)), ReadOptions(zone=ZoneInfo("Europe/Berlin")))
    except EcoauditError as error:
        assert "\n" not in error.line()
        return
    for log in (log for log in logs if isinstance(log, TrainingLog)):
        totals = (log.tokens, log.samples, log.flops, log.tflops_per_gpu, log.runtime_s)
        assert all(n is None or abs(n) < float("inf") for n in totals), totals
