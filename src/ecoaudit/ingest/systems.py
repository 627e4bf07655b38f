"""What a run's hardware is said to be: MLPerf `systems/*.json`, else the platform's name, else the folder's name."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from ecoaudit.ingest.records import MeterLog, Source, SystemDescription, TrainingLog

FORMAT_NAME = "mlperf_system"
_LEVELS_UP = 6
_NODES = re.compile(r"^(\d+)x(?=[A-Za-z])|_n(\d+)(?:_|$)")
_GPU = re.compile(
    r"(?:GH|GB|H|B|A|V|L)\d{2,4}S?(?:[-_ ](?:SXM\d?|PCIe|NVL|HBM3e?|\d{2,3}GB))*|MI\d{3}[AX]?|Gaudi\d?|TPU[-_ ]?v\d\w?",
    re.IGNORECASE,
)
_COOLING = (("immersion", "immersion"), ("water", "liquid"), ("liquid", "liquid"), ("dlc", "liquid"), ("air", "air"))


def describe(training: Iterable[TrainingLog], meters: Iterable[MeterLog]) -> list[SystemDescription]:
    """Return one description per distinct system of the MLPerf files among the logs."""
    found: dict[str, SystemDescription] = {}
    for log in training:
        if log.framework == "MLPerf":
            description = _of(log.source.path, log.platform)
            if description is not None:
                found.setdefault(description.source.path, description)
    if not found:
        for meter in meters:
            if meter.source.format == "mlperf_power":
                description = _file_near(Path(meter.source.path), None)
                if description is not None:
                    found.setdefault(description.source.path, description)
    return list(found.values())


def _of(path: str, platform: str | None) -> SystemDescription | None:
    description = _file_near(Path(path), platform)
    if description is not None:
        return description
    if platform and "PLACEHOLDER" not in platform.upper():
        return from_name(platform, Source(path, "submission_platform"))
    # A result lies in <submitter>/results/<system>/<benchmark>/; only that shape names a system.
    parts = Path(path).resolve().parts
    if "results" in parts[:-2]:
        position = len(parts) - 1 - parts[::-1].index("results")
        if position + 1 < len(parts) - 1:
            return from_name(parts[position + 1], Source(path, "folder name"))
    return None


def _file_near(path: Path, platform: str | None) -> SystemDescription | None:
    """Return the description named like the system's folder, in the `systems` folder of the submitter."""
    start = path.resolve()
    for folder in list(start.parents)[:_LEVELS_UP]:
        systems = folder / "systems"
        if not systems.is_dir():
            continue
        below = {part.lower() for part in start.relative_to(folder).parts}
        names = {p.stem.lower(): p for p in sorted(systems.glob("*.json"))}
        for name, file in names.items():
            if name in below:
                return read(file)
        for name, file in names.items():
            if platform and name == platform.lower():
                return read(file)
        return read(next(iter(names.values()))) if len(names) == 1 else None
    return None


def is_system(text: str) -> bool:
    """Return whether a JSON text is such a description."""
    return '"number_of_nodes"' in text and '"accelerators_per_node"' in text


def read(path: Path) -> SystemDescription | None:
    """Read a description; None when the file is not one."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return None
    if not isinstance(data, dict) or "accelerators_per_node" not in data:
        return None

    def text(key: str) -> str:
        value = data.get(key)
        return str(value).strip() if value is not None else ""

    notes = "; ".join(filter(None, (text("cooling"), text("hw_notes"))))
    return SystemDescription(
        source=Source(str(path), FORMAT_NAME),
        basis="stated",
        name=text("system_name") or path.stem,
        nodes=_count(text("number_of_nodes")),
        gpus_per_node=_count(text("accelerators_per_node")),
        gpu_model=text("accelerator_model_name") or None,
        cooling=cooling(text("cooling")) or cooling(text("hw_notes")),
        notes=notes or None,
    )


def cooling(text: str) -> str | None:
    """Return `air`, `liquid` or `immersion` for a vendor's words, None when they say neither."""
    words = text.lower()
    return next((kind for word, kind in _COOLING if re.search(rf"\b{word}", words)), None)


def from_name(name: str, source: Source) -> SystemDescription:
    """Return what a name such as `8xXE9680x8H100-SXM-80GB` or `1xSR780aV3-8xB200_SXM_180GB` says."""
    nodes = _NODES.search(name)
    gpus = list(_GPU.finditer(name))
    gpu = gpus[-1] if gpus else None
    per_node = re.search(r"(?:^|[-_x])(\d{1,2})x?$", name[: gpu.start()]) if gpu else None
    first = nodes and nodes[1] and gpu and nodes.end() == gpu.start()
    return SystemDescription(
        source=source,
        basis="assumed",
        name=name,
        nodes=int(nodes[1] or nodes[2]) if nodes and not first else None,
        gpus_per_node=int(per_node[1]) if per_node else None,
        gpu_model=gpu[0].replace("_", " ").replace("-", " ") if gpu else None,
        cooling=None,
    )


def _count(text: str) -> int | None:
    match = re.match(r"\d+", text)
    return int(match[0]) if match else None
