"""`ecoaudit inspect`: one file's facts, or a line for each of many."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ecoaudit.cli import main


def inspect(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["inspect", *arguments], standalone_mode=False)


def facts(*arguments: str) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(inspect(*arguments, "--json").output)
    return loaded


def test_one_file_gives_one_object(fixtures: Path) -> None:
    found = facts(str(fixtures / "torchtitan" / "run.log"))
    assert found["format"] == "torchtitan"
    assert found["clock"] == "naive"
    assert isinstance(found["duration_s"], float)


def test_only_known_facts_are_printed(fixtures: Path) -> None:
    lines = inspect(str(fixtures / "zeus" / "log.csv")).output.splitlines()
    assert lines[1].split() == ["format", "zeus"]
    assert not any(line.startswith(("tokens", "first step")) for line in lines)


def test_a_zone_makes_local_time_utc(fixtures: Path) -> None:
    path = str(fixtures / "torchtitan" / "run.log")
    local, utc = facts(path), facts(path, "--timezone", "Asia/Tokyo")
    assert (local["clock"], utc["clock"]) == ("naive", "utc")
    assert str(local["start"]) > str(utc["start"])


def test_a_folder_gives_a_line_for_every_file_and_says_what_is_no_log(tmp_path: Path, fixtures: Path) -> None:
    (tmp_path / "run.log").write_bytes((fixtures / "torchtitan" / "run.log").read_bytes())
    (tmp_path / "notes.txt").write_text("Dear diary\n", encoding="utf-8")
    found = inspect(str(tmp_path))
    assert found.return_value == 0
    notes, run = found.output.splitlines()
    assert notes.startswith("-")
    assert "notes.txt: not a log" in notes
    assert run.startswith("torchtitan")
    assert "steps " in run
    rows = json.loads(inspect(str(tmp_path), "--json").output)
    assert [Path(row["path"]).name for row in rows] == ["notes.txt", "run.log"]


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_folder_without_a_log_exits_with_2(tmp_path: Path, as_json: list[str]) -> None:
    (tmp_path / "notes.txt").write_text("Dear diary\n", encoding="utf-8")
    assert inspect(str(tmp_path), *as_json).return_value == 2
