"""Bad input gets one clear line on stderr and exit code 2, never a traceback."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ecoaudit import cli, pipeline

SAMPLE = Path(__file__).resolve().parents[2] / "fixtures" / "sample_logs" / "synthetic-8xh100"
TELEMETRY = str(SAMPLE / "telemetry.jsonl.gz")


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ecoaudit", *arguments], capture_output=True, text=True, timeout=60, cwd=cwd, check=False
    )


def assert_one_line(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in result.stderr


def test_a_file_that_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary,\ntoday the loss went down.\n", encoding="utf-8")
    assert_one_line(run("audit", str(path), cwd=tmp_path), "notes.txt")


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    assert_one_line(run("audit", str(tmp_path / "logs"), cwd=tmp_path), "logs")


def test_a_missing_path(tmp_path: Path) -> None:
    assert_one_line(run("audit", str(tmp_path / "gone.jsonl"), cwd=tmp_path), "gone.jsonl")


def test_a_glob_without_a_match(tmp_path: Path) -> None:
    assert_one_line(run("audit", str(tmp_path / "*.jsonl"), cwd=tmp_path), "*.jsonl")


def test_an_unknown_region_before_any_log_is_read(tmp_path: Path) -> None:
    assert_one_line(run("audit", TELEMETRY, "--region", "aws:eu-nroth-1", cwd=tmp_path), "eu-nroth-1", "eu-north-1")


def test_an_unknown_zone(tmp_path: Path) -> None:
    assert_one_line(run("audit", TELEMETRY, "--zone", "XQ", cwd=tmp_path), "XQ")


def test_a_misspelt_key_names_the_nearest(tmp_path: Path) -> None:
    config = tmp_path / "c.yml"
    config.write_text("regoin: aws:eu-north-1\n", encoding="utf-8")
    result = run("audit", TELEMETRY, "--config", str(config), cwd=tmp_path)
    assert_one_line(result, "c.yml", "unknown key 'regoin'", "'region'")


def test_a_telemetry_file_with_nothing_whole_in_it(tmp_path: Path) -> None:
    path = tmp_path / "torn.jsonl"
    path.write_text('{"type":"header","schema":"ecoaudit.telemetry/1","host":"n01","gp', encoding="utf-8")
    assert_one_line(run("audit", str(path), cwd=tmp_path), "torn.jsonl")


def test_an_unknown_option_is_usage(tmp_path: Path) -> None:
    result = run("audit", TELEMETRY, "--regon", "x", cwd=tmp_path)
    assert result.returncode == 2
    assert "--region" in result.stderr


@pytest.mark.parametrize("content", ["{}", "[]", "", "not json", '{"schema": "ecoaudit.audit/9"}'])
def test_compare_with_something_that_is_no_audit(tmp_path: Path, content: str) -> None:
    path = tmp_path / "audit.json"
    path.write_text(content, encoding="utf-8")
    assert_one_line(run("compare", str(path), "--base", str(path), cwd=tmp_path), "audit.json")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = run("--debug", "audit", str(tmp_path / "gone.jsonl"), cwd=tmp_path)
    assert "Traceback" in result.stderr


def test_a_closed_pipe_is_not_a_failed_budget(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "ecoaudit", "formats"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize("argument", ["formats", "--version", "--help"])
def test_a_full_disk_is_one_line(argument: str) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        result = subprocess.run(
            [sys.executable, "-m", "ecoaudit", argument],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert_one_line(result, "No space left")


@pytest.mark.parametrize("command", [["formats"], ["--version"], ["audit", TELEMETRY, "-o", "out", "--json"]])
def test_a_closed_output_is_nobody_listening(tmp_path: Path, command: list[str]) -> None:
    line = shlex.join([sys.executable, "-m", "ecoaudit", *command])
    result = subprocess.run(
        ["sh", "-c", f"{line} >&-"], stderr=subprocess.PIPE, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("command", [["audit", TELEMETRY], ["demo"], ["calculator"]])
def test_an_empty_output_is_not_the_current_folder(tmp_path: Path, command: list[str]) -> None:
    assert_one_line(run(*command, "-o", "", cwd=tmp_path), "the name is empty")
    assert not any(tmp_path.iterdir())


def test_an_empty_input_is_not_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "telemetry.jsonl.gz").symlink_to(TELEMETRY)
    assert_one_line(run("audit", "", cwd=tmp_path), "an input's name is empty")


def test_inspect_takes_a_url() -> None:
    result = run("inspect", Path(TELEMETRY).as_uri())
    assert result.returncode == 0, result.stderr
    assert "telemetry.jsonl.gz" in result.stdout
    assert_one_line(run("inspect", "gopher://host.example/x"), "gopher://host.example/x")


@pytest.mark.parametrize("option", ["--pue", "--intensity"])
def test_an_error_names_the_option(tmp_path: Path, option: str) -> None:
    assert_one_line(run("audit", TELEMETRY, option, "nan", cwd=tmp_path), f"command line: {option}: must be a finite")


def test_a_terminal_without_our_characters_gets_others(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "ecoaudit", "audit", TELEMETRY, "-o", str(tmp_path / "out")],
        capture_output=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={"PYTHONIOENCODING": "latin-1", "PATH": "/usr/bin:/bin"},
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("option", ["--intensity", "--network-power-w", "--price"])
def test_infinity_is_no_figure(tmp_path: Path, option: str) -> None:
    assert_one_line(run("audit", TELEMETRY, option, "inf", cwd=tmp_path), "command line")


def test_a_usage_error_is_one_line_too(tmp_path: Path) -> None:
    assert_one_line(run("audit", cwd=tmp_path), "Missing argument", "ecoaudit audit --help")
    assert_one_line(run("adit", cwd=tmp_path), "adit")


def test_a_fault_of_the_program_does_not_look_like_a_failed_budget(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ecoaudit import cli, ingest

    def fault() -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(ingest, "formats", fault)
    assert cli.run(["formats"]) == 2
    assert "a fault of ecoaudit itself (ZeroDivisionError" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told_before_any_log_is_read(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    result = run("audit", "missing.jsonl", "-o", str(tmp_path / "taken" / "report"), cwd=tmp_path)
    assert_one_line(result, "taken' cannot be written", "choose another")


def test_an_error_that_cannot_be_told_is_no_failed_budget(tmp_path: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        result = subprocess.run(
            [sys.executable, "-m", "ecoaudit", "audit", "gone"], stderr=full, cwd=tmp_path, check=False
        )
    assert result.returncode == 2


def test_too_little_memory_is_no_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pipeline, "audit_inputs", fail)
    assert cli.run(["audit", TELEMETRY]) == 2
    assert "not enough memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("~run.jsonl", "~run.jsonl"),
        ("-", "which a pipe"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("~nobody/a", "no such file"),
    ],
)
def test_odd_names_are_names(tmp_path: Path, name: str, shown: str) -> None:
    if name == "~run.jsonl":
        (tmp_path / name).write_text("x", encoding="utf-8")
    assert_one_line(run("audit", "--", name, cwd=tmp_path), shown)


def test_a_name_that_is_no_text_comes_into_the_report_as_far_as_it_is(tmp_path: Path) -> None:
    for name in (b"a\xff.gz", b"b\xff.gz"):
        (tmp_path / "logs").mkdir(exist_ok=True)
        (tmp_path / "logs" / os.fsdecode(name)).write_bytes(Path(TELEMETRY).read_bytes())
    result = run("audit", "logs", "--json", "--project", os.fsdecode(b"p\xff"), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["project"] == "p?"
    assert "logs/b?.gz has the same content as logs/a?.gz; counted once" in found["quality"]["warnings"]


def test_a_backend_for_notebooks_draws_no_files(tmp_path: Path) -> None:
    environment = {**os.environ, "MPLBACKEND": "not_installed", "MPLCONFIGDIR": "/dev/null/x"}
    result = subprocess.run(
        [sys.executable, "-m", "ecoaudit", "demo"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
