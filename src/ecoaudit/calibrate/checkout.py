"""A checkout of MLPerf Training results on disk: where its submissions, power logs and system descriptions are.

training_results_vX.Y/SUBMITTER/results/SYSTEM/BENCHMARK/result_N.txt, scaling.json
                                                         power/result_N/node_K.txt, sw_K.txt
                     SUBMITTER/systems/SYSTEM.json
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecoaudit.errors import EcoauditError
from ecoaudit.reference.types import Cooling

_ROUND = re.compile(r"training_results_(v\d+\.\d+)")
_COUNT = re.compile(r"^\d+x(?=[A-Za-z])")
_POWER_WORD = re.compile(r"[-_]power$", re.IGNORECASE)
_SKIPPED = {"benchmarks", ".git"}

_YEAR = {"v4.0": "2024", "v4.1": "2024", "v5.0": "2025", "v5.1": "2025"}

# No licence file stands at the root of these rounds' repositories.
_NO_LICENCE_FILE = {"v4.1"}


@dataclass(frozen=True, slots=True)
class SystemSheet:
    """What `systems/SYSTEM.json` (or, failing that, the folder's name) says of the machine; None = not said."""

    submitter: str | None
    nodes: int | None
    gpus_per_node: int | None
    gpu: str | None
    cooling: Cooling | None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark of one submission: its folder, round, submitter folder, system folder and result logs."""

    folder: Path
    root: Path
    round: str | None
    submitter: str
    system: str
    results: tuple[Path, ...]

    @property
    def power(self) -> Path:
        """The folder of the power logs, which need not exist."""
        return self.folder / "power"

    def source(self, path: Path) -> str:
        """Return how a file of this submission is cited: `training_results_vX.Y: path`."""
        name = f"training_results_{self.round}" if self.round else self.root.name
        return f"{name}: {path.relative_to(self.root).as_posix()}"


def find_benchmarks(paths: Sequence[Path], round_name: str | None = None) -> list[Benchmark]:
    """Return every benchmark folder with result logs at or below `paths`, ordered by path.

    A path may be a whole checkout, a submitter, a system, a benchmark or its power folder. Raises `EcoauditError` for
    a path that is not a folder.
    """
    found: dict[Path, Benchmark] = {}
    for path in paths:
        if not path.is_dir():
            raise EcoauditError("not a folder", where=str(path), fix="give a checkout of MLPerf Training results")
        for folder in _benchmark_folders(path.resolve()):
            found.setdefault(folder, _benchmark(folder, round_name))
    return [found[folder] for folder in sorted(found)]


def run_folders(benchmark: Benchmark) -> list[tuple[Path, Path]]:
    """Return (result log, its power folder) for each result that has power logs."""
    return [
        (result, benchmark.power / result.stem)
        for result in benchmark.results
        if (benchmark.power / result.stem).is_dir()
    ]


def scaling_factor(benchmark: Benchmark) -> float:
    """Return the RCP scaling factor of `scaling.json`, 1 without one."""
    path = benchmark.folder / "scaling.json"
    if not path.is_file():
        return 1.0
    value = _json(path).get("scaling_factor", 1.0)
    if not isinstance(value, int | float) or not value >= 1:
        raise EcoauditError(f"scaling_factor is {value!r}, not a number of 1 or more", where=str(path))
    return float(value)


def system_sheet(benchmark: Benchmark) -> SystemSheet:
    """Return the description of the benchmark's system; its name fills in what the description lacks."""
    path = benchmark.folder.parents[2] / "systems" / f"{benchmark.system}.json"
    sheet = _json(path) if path.is_file() else {}
    named = re.match(r"(\d+)x", benchmark.system)
    return SystemSheet(
        submitter=_word(sheet.get("submitter")),
        nodes=_count(sheet.get("number_of_nodes")) or (int(named[1]) if named else None),
        gpus_per_node=_count(sheet.get("accelerators_per_node")),
        gpu=_word(sheet.get("accelerator_model_name")) or _gpu_in(benchmark.system),
        cooling=_cooling(_word(sheet.get("cooling"))),
    )


def machine_name(system: str) -> str:
    """Return the system's name without node count and power suffix: one machine keeps one name over scales."""
    return _POWER_WORD.sub("", _COUNT.sub("", system))


def commit_of(root: Path) -> str | None:
    """Return the commit of the checkout, None where it is not one (or git is not there)."""
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() if found.returncode == 0 and found.stdout.strip() else None


def year_of(round_name: str | None) -> str | None:
    """Return the year in which the round was published, None for a round that is not known here."""
    return _YEAR.get(round_name or "")


def licence_of(round_name: str | None) -> str:
    """Return the licence under which the round's repository is published."""
    if round_name is None:
        return "not stated"
    return "no licence file in the repository" if round_name in _NO_LICENCE_FILE else "Apache-2.0"


def _benchmark_folders(path: Path) -> Iterator[Path]:
    if path.name == "power":
        path = path.parent
    elif path.parent.name == "power":
        path = path.parent.parent
    for folder, children, files in os.walk(path):
        children[:] = sorted(child for child in children if child not in _SKIPPED and child != "power")
        if any(_is_result(name) for name in files) and Path(folder).parent.parent.name == "results":
            yield Path(folder)


def _benchmark(folder: Path, round_name: str | None) -> Benchmark:
    submitter = folder.parents[2]
    found = _ROUND.search(submitter.parent.as_posix())
    results = tuple(sorted(path for path in folder.iterdir() if _is_result(path.name)))
    return Benchmark(
        folder=folder,
        root=submitter.parent,
        round=round_name or (found[1] if found else None),
        submitter=submitter.name,
        system=folder.parent.name,
        results=results,
    )


def _is_result(name: str) -> bool:
    return name.startswith("result") and name.endswith(".txt")


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise EcoauditError(f"cannot read it as JSON: {error}", where=str(path)) from error
    if not isinstance(data, dict):
        raise EcoauditError("not a JSON object", where=str(path))
    return data


def _word(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _count(value: object) -> int | None:
    text = str(value).strip()
    return int(text) if text.isdigit() and int(text) > 0 else None


def _cooling(text: str | None) -> Cooling | None:
    words = (text or "").lower()
    if "immersion" in words:
        return "immersion"
    if "liquid" in words or "water" in words:
        return "liquid"
    return "air" if "air" in words else None


def _gpu_in(system: str) -> str | None:
    found = re.search(r"(GB200|GB300|H100|H200|B200|B300|A100|MI\d{3}X)([-_ ]?(?:SXM|PCIe|NVL|OAM)\d?)?", system, re.I)
    return found[0].replace("_", " ") if found else None
