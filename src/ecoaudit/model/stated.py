"""What the user says of the hardware, put in the place of what the logs tell; where the two clash, both are named."""

from collections.abc import Iterable
from dataclasses import replace

from ecoaudit.ingest.records import TOKENS_UNKNOWN, GpuInfo, RunLogs, TrainingLog
from ecoaudit.model.inputs import GIVEN, StatedHardware, StatedModel, Tables
from ecoaudit.model.notes import Notes
from ecoaudit.reference.types import Gpu


def with_hardware(logs: RunLogs, stated: StatedHardware | None, tables: Tables, notes: Notes) -> RunLogs:
    """Return the logs with the stated GPU and number of GPUs in the place of theirs.

    A GPU that a log names too broadly or not at all is thereby named. How many boards the telemetry read is not
    changed by what is stated of their number.
    """
    if stated is None:
        return logs
    if stated.gpu is not None:
        source = f"{GIVEN}; {stated.gpu.citation.source}"
        notes.cite("GPU", stated.gpu.name, replace(stated.gpu.citation, source=source))
        logs = _named(logs, stated.gpu, tables, notes)
    if stated.gpus is not None:
        notes.state("number of GPUs", str(stated.gpus), GIVEN)
        told = {log.world_size for log in logs.training if log.world_size not in (None, stated.gpus)}
        _clash("the training log tells of", (f"{count} GPUs" for count in told), f"{stated.gpus} are", notes)
        logs = replace(logs, training=tuple(replace(log, world_size=stated.gpus) for log in logs.training))
    if stated.nodes is not None:
        notes.state("number of nodes", str(stated.nodes), GIVEN)
    return logs


def with_sequence(logs: RunLogs, stated: StatedModel | None) -> RunLogs:
    """Return the logs with the tokens that the stated sequence length makes of samples that no log counts in tokens."""
    length = stated.sequence_length if stated is not None else None
    if not length:
        return logs
    return replace(logs, training=tuple(_in_tokens(log, length) for log in logs.training))


def _in_tokens(log: TrainingLog, length: int) -> TrainingLog:
    if log.tokens is not None or log.samples is None or log.tokens_per_sample is not None:
        return log
    steps = replace(log.steps, tokens=log.steps.samples * length) if log.steps is not None else None
    others = tuple(text for text in log.quality.warnings if not text.endswith(TOKENS_UNKNOWN))
    quality = replace(log.quality, warnings=others)
    return replace(log, tokens=log.samples * length, tokens_per_sample=float(length), steps=steps, quality=quality)


def sized(stated: StatedModel | None, training: TrainingLog | None) -> StatedModel | None:
    """Return the stated model to count FLOPs by: with a size of its own, else with the logged one where the statement
    changes how it counts (LoRA, a shape); None where the logs are to be counted as they are.
    """
    if stated is None or stated.params is not None or stated.active_params is not None:
        return stated
    counts = stated.lora or stated.layers is not None
    if not counts or training is None or training.params is None:
        return None
    without_lookup = training.params - (training.embedding_params or 0.0)
    return replace(stated, params=without_lookup, source=f"size as logged, {stated.source}")


def _named(logs: RunLogs, gpu: Gpu, tables: Tables, notes: Notes) -> RunLogs:
    names = [info.name for file in logs.telemetry for info in file.gpus]
    names += [system.gpu_model for system in logs.systems]
    others = {name for name in names if name and gpu not in tables.gpu_candidates(name)}
    _clash("the logs name the GPU", others, f"{gpu.name} is", notes)

    def renamed(info: GpuInfo) -> GpuInfo:
        return info if tables.find_gpu(info.name) == gpu else replace(info, name=gpu.name)

    return replace(
        logs,
        telemetry=tuple(replace(file, gpus=tuple(map(renamed, file.gpus))) for file in logs.telemetry),
        systems=tuple(replace(system, gpu_model=gpu.name) for system in logs.systems),
    )


def _clash(who: str, told: Iterable[str], given: str, notes: Notes) -> None:
    if told := sorted(told):
        notes.warn(f"{who} {' and '.join(told)}, {given} given: what is given holds", grave=True)
