"""The run table survives a round trip, and a table that is not one is refused with its line."""

import csv
import io

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.calibrate.runs import MeteredRun, distinct_runs, read_csv, write_csv
from ecoaudit.calibrate.tables import bundled_runs
from ecoaudit.errors import EcoauditError


def test_the_bundled_table_is_written_as_it_is_read() -> None:
    runs = bundled_runs()
    assert read_csv(write_csv(runs), where="x") == runs
    assert len(runs) == 351
    assert distinct_runs(runs) == 193


def test_every_bundled_run_says_where_it_comes_from() -> None:
    for run in bundled_runs():
        assert run.path.startswith(f"training_results_{run.round}: ")
        assert run.commit
        assert len(run.commit) == 40
        assert run.licence in {"Apache-2.0", "no licence file in the repository"}
        assert (run.round == "v4.1") == (run.licence != "Apache-2.0")


text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).map(str.strip)
figure = st.none() | st.floats(1e-3, 1e9)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_run_survives_the_round_trip(data: st.DataObject) -> None:
    like = bundled_runs()[0]
    run = msgspec.structs.replace(
        like,
        operator=data.draw(text.filter(bool)),
        notes=data.draw(text),
        samples=data.draw(figure),
        official_v40_j=data.draw(figure),
        cooling=data.draw(st.sampled_from([None, "air", "liquid", "immersion"])),
        nodes=data.draw(st.integers(1, 5000)),
    )
    (back,) = read_csv(write_csv([run]), where="x")
    assert (back.operator, back.notes, back.cooling, back.nodes) == (run.operator, run.notes, run.cooling, run.nodes)
    for name in ("samples", "official_v40_j"):
        before, after = getattr(run, name), getattr(back, name)
        assert after is None if before is None else after == pytest.approx(before, rel=1e-9)


def test_other_columns_are_refused() -> None:
    with pytest.raises(EcoauditError, match=r"runs\.csv: not a run table"):
        read_csv("a,b\n1,2\n", where="runs.csv")


@pytest.mark.parametrize(
    ("column", "value"), [("nodes", "0"), ("cooling", "wet"), ("duration_s", "-1"), ("boundary", "")]
)
def test_a_bad_cell_is_named_with_its_line(column: str, value: str) -> None:
    lines = write_csv(bundled_runs()[:1]).splitlines()
    cells = dict(zip(MeteredRun.__struct_fields__, range(99), strict=False))
    row = next(csv.reader([lines[1]]))
    row[cells[column]] = value
    out = io.StringIO()
    csv.writer(out).writerow(row)
    with pytest.raises(EcoauditError, match=rf"runs\.csv:2: .*{column}"):
        read_csv(f"{lines[0]}\n{out.getvalue()}", where="runs.csv")
