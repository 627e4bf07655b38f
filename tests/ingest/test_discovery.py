"""What the user may name, and the one clear line when it cannot be read."""

import errno
import gzip
import json
import lzma
import os
import types
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from ecoaudit import ingest
from ecoaudit.errors import EcoauditError

Write = Callable[[str, str | bytes], str]
CSV = "timestamp, power.draw [W], index\n2024/10/30 18:42:33.189, 22.89 W, 0\n2024/10/30 18:42:34.189, 22.89 W, 0\n"
NODE = ':::MLLOG {"namespace":"","time_ms":%d,"key":"power_reading","value":5000,"metadata":{}}\n'


@pytest.mark.parametrize(
    ("content", "looks"),
    [
        (b"", "an empty file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "a PNG image"),
        (b"PK\x03\x04" + bytes(40), "a ZIP archive"),
        (b"hello world\nthis is a letter\n", "text that begins with 'hello world'"),
        (b'{"name": "x", "version": 1}', "JSON with the keys name, version"),
        (b"<!DOCTYPE html><html></html>", "an HTML page"),
        (bytes(range(256)) * 8, "binary data"),
        (b"a,b,c\n1,2,3\n", "a table whose first row is 'a,b,c'"),
    ],
)
def test_a_named_file_that_is_no_log_is_an_error_that_says_what_it_looks_like(
    write: Write, content: bytes, looks: str
) -> None:
    path = write("thing.bin", content)
    functions = (lambda: ingest.read([path]), lambda: ingest.inspect(path))
    for function in functions:
        with pytest.raises(EcoauditError) as error:
            function()
        assert looks in error.value.line() and path in error.value.line()
        assert ("leave it out" in error.value.line()) == (function is not functions[-1])
        assert "\n" not in error.value.line()


@pytest.mark.parametrize(
    ("name", "what"), [("missing.csv", "no such file"), ("*.nothing", "no file matches"), ("empty", "folder is empty")]
)
def test_paths_without_a_file_are_errors(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EcoauditError, match=what):
        ingest.read([str(tmp_path / name)])


def test_no_input_is_an_error() -> None:
    with pytest.raises(EcoauditError, match="no input"):
        ingest.read([])


def test_an_unknown_time_zone_is_an_error(write: Write) -> None:
    with pytest.raises(EcoauditError, match="unknown time zone 'Berlin'"):
        ingest.read([write("a.csv", CSV)], timezone="Berlin")


NOISE = bytes(range(256)) * 16
DAMAGED = {
    "cut.gz": gzip.compress(NOISE)[:10],
    "cut.zst": zstandard.compress(NOISE)[:20],
    "corrupt.gz": gzip.compress(CSV.encode() * 50)[:30] + b"zzzzzzzz" + gzip.compress(CSV.encode() * 50)[38:],
    "cut.xz": lzma.compress(NOISE)[:30],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_compressed_file_that_holds_nothing_readable_is_called_damaged_not_empty(write: Write, name: str) -> None:
    path = write(f"logs/{name}", DAMAGED[name])
    with pytest.raises(EcoauditError, match="a compressed file that is cut or corrupt") as error:
        ingest.read([path])
    assert "empty" not in error.value.line()


def test_a_cut_compressed_file_that_is_no_log_says_both(write: Write) -> None:
    whole = zlib.compressobj(wbits=31)
    cut = whole.compress(b"hello world\nthis is a letter\n") + whole.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(EcoauditError, match=r"cut or corrupt .what could be read is text that begins with 'hello"):
        ingest.read([write("letter.gz", cut)])


def test_a_damaged_file_of_a_folder_is_left_out_with_a_warning(write: Write, tmp_path: Path) -> None:
    write("logs/a.csv", CSV)
    write("logs/cut.zst", DAMAGED["cut.zst"])
    (warning,) = ingest.read([str(tmp_path / "logs")]).warnings
    assert "cut.zst is left out" in warning and "cut or corrupt" in warning


def test_unknown_files_of_a_folder_are_listed_not_read(write: Write, tmp_path: Path) -> None:
    write("logs/a.csv", CSV)
    write("logs/README.md", "# notes\n")
    write("logs/.hidden", "x")
    logs = ingest.read([str(tmp_path / "logs")])
    assert len(logs.telemetry) == 1
    assert [Path(s.path).name for s in logs.ignored] == ["README.md"]


def test_a_folder_without_a_log_is_an_error(write: Write, tmp_path: Path) -> None:
    write("logs/README.md", "# notes\n")
    with pytest.raises(EcoauditError, match="no log found among 1 files"):
        ingest.read([str(tmp_path / "logs")])


@pytest.mark.parametrize("below", ["secret", "."])
def test_a_folder_that_cannot_be_read_is_an_error_not_an_empty_one(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    write("logs/a.csv", CSV)
    write("logs/secret/b.csv", CSV)
    barred = tmp_path / "logs" / below
    scandir = os.scandir

    def refuse(path: str) -> object:  # permissions do not bind a superuser, who may run the tests
        if Path(path) == barred:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(EcoauditError, match="cannot read the folder: Permission denied") as error:
        ingest.read([str(tmp_path / "logs")])
    assert error.value.where == str(barred)


def test_a_file_in_a_folder_that_bars_the_look_names_that_folder(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("secret/a.csv", CSV)

    def refuse(_: Path) -> object:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(EcoauditError, match="cannot read the folder: Permission denied") as error:
        ingest.read([path])
    assert error.value.where == str(tmp_path / "secret")


def test_folders_that_hold_no_logs_of_the_run_are_not_entered(write: Write, tmp_path: Path) -> None:
    write("logs/a.csv", CSV)
    for folder in (".git", ".cache", "__pycache__", "venv"):
        write(f"logs/{folder}/b.csv", CSV.replace("22.89", "30.00"))
    assert len(ingest.read([str(tmp_path / "logs")]).telemetry) == 1


def test_globs_take_every_match_and_a_file_named_twice_is_read_once(write: Write, tmp_path: Path) -> None:
    path = write("run1/a.csv", CSV)
    write("run2/b.csv", CSV.replace("22.89", "30.00"))
    logs = ingest.read([str(tmp_path / "run*" / "*.csv"), path])
    assert len(logs.telemetry) == 2 and logs.warnings == ()


def test_the_same_content_under_two_names_counts_once_with_a_warning(write: Write, tmp_path: Path) -> None:
    write("logs/a.csv", CSV)
    write("logs/copy.csv", CSV)
    logs = ingest.read([str(tmp_path / "logs")])
    assert len(logs.telemetry) == 1
    assert "same content" in logs.warnings[0]


def test_two_nodes_with_identical_traces_are_both_kept(write: Write, tmp_path: Path) -> None:
    for node in (0, 1):
        write(f"power/node_{node}.txt", NODE % 1715341419163 + NODE % 1715341421143)
    logs = ingest.read([str(tmp_path / "power")])
    assert [m.label for m in logs.meters] == ["node_0", "node_1"]


def test_nodes_come_in_natural_order(write: Write, tmp_path: Path) -> None:
    for node in (10, 9, 0):
        write(f"power/node_{node}.txt", NODE % (1715341419163 + node) + NODE % 1715341421143)
    assert [m.label for m in ingest.read([str(tmp_path / "power")]).meters] == ["node_0", "node_9", "node_10"]


def test_a_url_without_fsspec_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(EcoauditError, match=r"pip install 'ecoaudit\[remote\]'"):
        ingest.read(["s3://bucket/run.jsonl"])


def test_a_url_that_needs_another_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, mode: str) -> None:
        raise ImportError("Install s3fs to access S3")

    fake = types.ModuleType("fsspec")
    fake.open = refuse  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "fsspec", fake)
    with pytest.raises(EcoauditError, match=r"Install s3fs to access S3; install what it names beside ecoaudit"):
        ingest.read(["s3://bucket/run.jsonl"])


def test_a_file_url_is_a_path(write: Write, tmp_path: Path) -> None:
    path = write("my logs/a.csv", CSV)
    url = Path(path).as_uri()
    assert ingest.inspect(url).format == ingest.inspect(path).format
    for text in (url, (tmp_path / "my logs").as_uri(), f"file://{tmp_path}/my%20logs/*.csv"):
        assert len(ingest.read([text]).telemetry) == 1


def test_a_pattern_on_a_server_is_refused() -> None:
    with pytest.raises(EcoauditError, match="name each file by its URL"):
        ingest.read(["https://host.example/logs/*.csv"])


def result(platform: str) -> str:
    entry = ':::MLLOG {"time_ms":%d,"key":"%s","value":%s,"metadata":{%s}}\n'
    return (
        entry % (1715341130000, "submission_platform", json.dumps(platform), "")
        + entry % (1715341130099, "run_start", "null", "")
        + entry % (1715341230099, "run_stop", "null", '"status":"success","samples_count":640')
    )


def test_the_system_is_the_description_named_like_its_folder(write: Write) -> None:
    described = {"system_name": "Big", "number_of_nodes": "8", "accelerators_per_node": 8, "cooling": "air,RDHx"}
    described["accelerator_model_name"] = "NVIDIA H100-SXM5-80GB"
    write("Sub/systems/8xBig.json", json.dumps(described))
    write("Sub/systems/1xBig.json", json.dumps(described | {"number_of_nodes": "1"}))
    (system,) = ingest.read([write("Sub/results/8xBig/bert/result_0.txt", result("other"))]).systems
    assert (system.nodes, system.gpus_per_node, system.cooling, system.basis) == (8, 8, "air", "stated")


@pytest.mark.parametrize(
    ("platform", "nodes", "per_node", "gpu"),
    [
        ("8xXE9680x8H100-SXM-80GB-POWER", 8, 8, "H100 SXM 80GB"),
        ("1xSR780aV3-8xB200_SXM_180GB", 1, 8, "B200 SXM 180GB"),
        ("1xSMC-H100-SXM-80GB", 1, None, "H100 SXM 80GB"),
        ("eos_n32", 32, None, None),
        ("8xMI300X", None, 8, "MI300X"),
    ],
)
def test_without_a_description_the_platform_speaks_as_an_assumption(
    write: Write, platform: str, nodes: int | None, per_node: int | None, gpu: str | None
) -> None:
    logs = ingest.read([write("result_0.txt", result(platform))])
    (system,) = logs.systems
    assert (system.nodes, system.gpus_per_node, system.gpu_model) == (nodes, per_node, gpu)
    assert system.basis == "assumed"
    assert any("the name" in w for w in logs.warnings)


def test_without_description_and_platform_the_folder_speaks(write: Write) -> None:
    path = write("Sub/results/1xSMC-H100-SXM-80GB/bert/result_0.txt", result("1xSUBMISSION_PLATFORM_PLACEHOLDER"))
    (system,) = ingest.read([path]).systems
    assert (system.gpu_model, system.basis) == ("H100 SXM 80GB", "assumed")


def test_a_log_without_a_clock_comes_with_the_time_it_was_last_written(tmp_path: Path) -> None:
    state = tmp_path / "trainer_state.json"
    state.write_text('{"global_step": 2, "max_steps": 2, "log_history": [{"loss": 2.0, "step": 1}, {"step": 2}]}')
    os.utime(state, (1_764_000_000.0, 1_764_000_000.0))
    (log,) = ingest.read([str(state)]).training
    assert (log.clock, log.source.modified_s) == ("none", 1_764_000_000.0)
