"""PyTorch Lightning, `CSVLogger`: `metrics.csv` with sorted, sparse columns."""

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import tables, values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="lightning_csv",
    kind="training",
    title="PyTorch Lightning CSVLogger, metrics.csv",
    reads="optimizer steps (0-based), training loss",
    seen="1.x and 2.x; header rewritten when a key appears later",
    cannot_tell="times, tokens, samples, batch size, number of GPUs",
)

_HELD_OUT = ("val", "test")


def sniff(head: Head) -> str | None:
    """Recognise a CSV header with `epoch` and `step` and a metric, numbers below."""
    lines = [line for line in head.text.splitlines()[:3] if line.strip()]
    if len(lines) < 2 or "timestamp" in lines[0]:
        return None
    names = [n.strip().strip('"') for n in lines[0].split(",")]
    if not {"epoch", "step"} <= set(names) or len(names) < 3:
        return None
    cell = lines[1].split(",")[names.index("step")] if len(lines[1].split(",")) == len(names) else ""
    return "CSV header with epoch, step and metrics" if cell.strip().isdigit() else None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - the file has no clock
    """Return the run; raises `EcoauditError` without a header."""
    account, steps = Account(), Steps()
    names: list[str] = []
    loss_at: list[int] = []
    for number, cells, text in tables.rows(file.lines()):
        account.lines += 1
        if not text.strip():
            continue
        if "step" in cells and "epoch" in cells:
            names = cells
            loss_at = _loss_columns(names)
            continue
        if len(cells) != len(names):
            account.bad(number, text, f"{len(cells)} of {len(names)} columns")
            continue
        try:
            step = int(float(cells[names.index("step")]))
            losses = [values.number(cells[i]) for i in loss_at if cells[i]]
        except (ValueError, OverflowError) as error:
            account.bad(number, text, str(error))
            continue
        account.records += 1
        told = [name for name, cell in zip(names, cells, strict=True) if cell and name not in ("epoch", "step")]
        # Epoch means repeat a step that was logged already; an evaluation after training has the number of the next.
        trained = losses or not (loss_at and told and all(name.startswith(_HELD_OUT) for name in told))
        if trained and (losses or not steps.step or steps.step[-1] != step):
            steps.add(step, loss=losses[0] if losses else None)
    if not names:
        raise EcoauditError("no header with epoch and step", where=file.path)
    steps.repeated_lines = 0
    return [
        steps.log(
            file,
            FORMAT.format,
            "PyTorch Lightning",
            account,
            step_count=max(steps.step) + 1 if steps.step and not steps.resumed else None,
        )
    ]


def _loss_columns(names: list[str]) -> list[int]:
    """Return the columns of the step's training loss, the surest first."""
    order = ("train_loss_step", "train/loss_step", "train_loss", "train/loss", "loss_step", "loss")
    found = [names.index(n) for n in order if n in names]
    return found or [i for i, n in enumerate(names) if "loss" in n and "val" not in n and "epoch" not in n]
