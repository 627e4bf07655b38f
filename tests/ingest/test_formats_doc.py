"""docs/formats.md is written from the formats themselves and kept equal to them."""

from pathlib import Path

import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import FormatInfo

DOC = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
HEADINGS = {"training": "Training logs", "telemetry": "GPU telemetry", "meter": "Node power and meters"}
INTRODUCTION = """# Formats

What `ecoaudit` reads, as `ecoaudit formats` lists it. A file's format is found in its content; its name matters only
where nothing else tells (a switch's power log). gzip, zstd, bzip2 and xz are unpacked on the way, UTF-16 and byte-order
marks are handled, and lines that cannot be read are counted and shown. `ecoaudit inspect FILE` says what a file was
taken for, and why.

Clocks without a zone are read in the zone of `--timezone`, else as UTC with a warning; the hour that such a clock shows
twice in autumn is kept. Dates such as 03/11/2026 are read in the order that the file's other dates tell. What
containers, CI runners and services put before each line is taken off, and the tasks of `srun -l` are kept apart. What a
log does not tell stays unknown: it is never filled with 0.
"""

PHASES = """## Phases

Evaluation, checkpoints and compilation are read from a console where it gives both ends, or a duration and one end; a
checkpoint that is written in the background counts only while training waits for it.

- Megatron-LM: the `evaluate` and `save-checkpoint` timers after a stamped iteration; stamped checkpoint lines (2026);
  without timers the time that is missing between two stamped iterations, where one evaluation or one checkpoint lies
  between them.
- torchtitan: `Finished saving (staging) the checkpoint in N seconds`; a validation from its step's line, or from the
  checkpoint after it, to its own; compilation from `Training starts` to the first step's line, less a steady step,
  where the log says that the model is compiled.
- DeepSpeed, also under GPT-NeoX, Megatron-DeepSpeed and the Trainer: a checkpoint from rank 0's first line to the
  slowest rank's last.
- OLMo and OLMo-core: begin and end of a checkpoint and of an evaluation; OLMo-core's dry run of a compiled model.
- nanotron: a checkpoint from its line to the begin of the next iteration.
- NeMo: a checkpoint's `Start time` and `Save duration`; a validation where a launcher stamps the lines.
- The Trainer: `eval_runtime` after a stamped log line, or in a row behind the clock of a container or CI runner.
- TensorBoard, W&B and MLflow: `eval/runtime`, logged when the evaluation ends; the training by `train_runtime`.
- Composer, litgpt: from the first to the last `[Eval batch=N/M]` line, and by `val time`, where others put a clock
  before the lines.
- MLPerf: `eval_start` to `eval_stop`.

An `eval_runtime` without a clock, MaxText's, GPT-NeoX's, nanoGPT's and Lightning's evaluations tell no place in time:
their energy stays in `train`.
"""


def table(formats: list[FormatInfo]) -> str:
    lines = ["| format | name | read | seen | cannot tell |", "| --- | --- | --- | --- | --- |"]
    cells = ((f.title, f"`{f.format}`", f.reads, f.seen, f.cannot_tell) for f in formats)
    return "\n".join(lines + ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in cells])


def document() -> str:
    parts = [INTRODUCTION]
    for kind, heading in HEADINGS.items():
        parts.append(f"## {heading}\n\n{table([f for f in ingest.formats() if f.kind == kind])}\n")
    return "\n".join([*parts, PHASES])


def test_the_document_is_what_the_formats_say(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--regenerate-golden"):
        DOC.write_text(document(), encoding="utf-8")
    assert DOC.read_text(encoding="utf-8") == document(), "run pytest --regenerate-golden"


def test_names_are_unique_and_every_cell_says_something() -> None:
    formats = ingest.formats()
    assert len({f.format for f in formats}) == len(formats)
    assert all(f.title and f.reads and f.seen and f.cannot_tell for f in formats)
