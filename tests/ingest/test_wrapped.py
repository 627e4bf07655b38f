"""Consoles out of schedulers, containers, CI runners and issues: the same run, whatever stands around it."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from ecoaudit.ingest.records import TrainingLog

Read = Callable[[str], TrainingLog]

LOGS = (
    "megatron/stamped.log",
    "megatron/neox_clock.log",
    "megatron/energy.log",
    "torchtitan/phases.log",
    "torchtitan/flame.log",
    "nanotron/tokens.log",
    "olmo/phases.log",
    "olmo/core_phases.log",
    "maxtext/config.log",
    "nemo/clock.log",
    "nemo/nemo2.log",
    "nemo/nemo1_rounded.log",
    "dllogger/nemo.json",
    "dllogger/epochs.json",
    "deepspeed/timer.log",
    "deepspeed/old.log",
    "mllog/result_0.txt",
)


def before_each_line(prefix: str) -> Callable[[str], str]:
    return lambda text: "\n".join(prefix.format(i % 60) + line for i, line in enumerate(text.split("\n")))


WRAPPED: dict[str, Callable[[str], str]] = {
    "windows": lambda text: text.replace("\n", "\r\n"),
    "srun -l": before_each_line(" 3: "),
    "torchrun": before_each_line("[default3]:"),
    "docker, GitHub Actions": before_each_line("2026-01-01T00:00:{:02d}.1234567Z "),
    "loguru": before_each_line("2026-01-01 00:00:{:02d}.123 | INFO     | __main__:main:12 - "),
    "kubectl": before_each_line("[pod/train-0/main] "),
    "ray": before_each_line("(main pid=4112) "),
    "colours": before_each_line("\x1b[36m"),
    "an issue": lambda text: f"# Slow\n\n```\n{text}\n```\nthanks\n",
    "a quotation": before_each_line("> "),
}


@pytest.mark.parametrize("name", LOGS)
def test_the_same_run_is_read(run_of: Read, fixtures: Path, tmp_path: Path, name: str) -> None:
    text = (fixtures / name).read_bytes().decode()
    plain = told(run_of(name))
    variants = {kind: wrap(text).encode() for kind, wrap in WRAPPED.items()}
    variants |= {"gzip": gzip.compress(text.encode()), "UTF-16": text.encode("utf-16")}
    for kind, data in variants.items():
        path = tmp_path / "run"
        path.write_bytes(data)
        assert (kind, told(run_of(str(path)))) == (kind, plain)


def told(log: TrainingLog) -> tuple[object, ...]:
    steps = (log.quality.records, log.first_step, log.last_step, log.step_count, log.tokens, log.samples)
    # A validation without a clock of its own has one by the collector's stamps.
    placed = [p for p in log.phases if p.name != "eval" or log.framework != "NVIDIA NeMo"]
    phases = [(p.name, round(p.end_s - p.start_s, 2)) for p in placed]
    model = (log.params, log.precision, log.attention, log.layers, log.sequence_length, log.global_batch_size)
    return (*steps, phases, *model, log.world_size)
