"""MLPerf Training result files: MLLOG lines from run_start to run_stop."""

import math
import re
from typing import Any

import numpy as np

from ecoaudit.ingest import mllog, values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FormatInfo, Phase, ReadOptions, Source, StepSeries, TrainingLog

FORMAT = FormatInfo(
    format="mllog",
    kind="training",
    title="MLPerf Training result file (MLLOG)",
    reads=(
        "run_start to run_stop, samples to the target, evaluation phases, batch size, sequence length, benchmark, "
        "platform, status"
    ),
    seen="training v4.0 to v5.1, all benchmarks; rank prefixes, several ranks, JSON with and without blanks",
    cannot_tell="tokens, except where the benchmark fixes the sequence length; number of GPUs; number format",
)

# Sequence length of the benchmarks whose samples are always full (MLPerf Training rules and reference code).
_TOKENS_PER_SAMPLE = {"llama2_70b_lora": 8192, "llama31_405b": 8192, "llama31_8b": 8192, "gpt3": 2048}
# gpt3 counts tokens wherever other benchmarks count samples.
_COUNTS_TOKENS = {"gpt3"}
# Samples an epoch, for the benchmarks whose counter is epochs: images of OpenImages (MLPerf subset) and ImageNet-1k,
# cases of KiTS19, rows of Criteo 1TB (MLPerf Training reference data sets).
_SAMPLES_AN_EPOCH = {
    "ssd": 1_170_301,
    "retinanet": 1_170_301,
    "resnet": 1_281_167,
    "unet3d": 168,
    "dlrm_dcnv2": 4_195_197_692,
}
# Where the log itself tells the samples of an epoch, of which the counter is a fraction.
_COUNTS_EPOCHS = {"gnn", "rgat"}
# unet3d submissions count epochs or cases under one key. Its rules stop at 10,000 epochs and evaluate first at 1,000
# epochs (168,000 cases), so the size of the count tells which.
_MOST_EPOCHS = 10_000
_MOST_SAMPLES = 1e15  # more is a damaged number, not a count
_COUNTERS = ("samples_count", "epoch_num")


def sniff(head: Head) -> str | None:
    """Recognise MLLOG lines."""
    return "MLLOG lines without power keys" if mllog.MARK in head.text else None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - times are UTC by definition
    """Return the run; with several run_start lines in one file the last complete run."""
    account = Account()
    run = _Run()
    for entry in mllog.entries(file, account):
        run.take(entry)
    return [run.log(file, account)]


class _Run:
    """Collects what the lines say; the first value of a key that every rank repeats is kept."""

    def __init__(self) -> None:
        self.first: dict[str, Any] = {}
        self.starts: list[float] = []
        self.stop: float | None = None
        self.status: str | None = None
        self.times: list[float] = []
        self.evals: list[tuple[str, float]] = []
        self.points: list[tuple[float, dict[str, Any], float]] = []
        self.throughput: list[float] = []

    def take(self, entry: mllog.Entry) -> None:
        self.times.append(entry.time_s)
        key = entry.key
        if key == "run_start":
            if not self.starts or self.stop is not None:
                self.starts.append(entry.time_s)
                self.stop, self.status = None, None
                self.evals, self.points = [], []
        elif key == "run_stop":
            self.stop = entry.time_s
            status = entry.metadata.get("status")
            self.status = status if status in ("success", "aborted") else self.status
            self.points.append((entry.time_s, entry.metadata, math.nan))
        elif key in ("eval_start", "eval_stop"):
            self.evals.append((key, entry.time_s))
        elif key in ("eval_accuracy", "train_loss"):
            # Not block_start and block_stop: their counter changed its meaning between rounds.
            value = mllog.numeric(entry.value) if key == "train_loss" else None
            self.points.append((entry.time_s, entry.metadata, math.nan if value is None else value))
        elif key == "tracked_stats" and isinstance(entry.value, dict):
            rate = mllog.numeric(entry.value.get("throughput"))
            if rate is not None:
                self.throughput.append(rate)
        else:
            self.first.setdefault(key, entry.value)

    def log(self, file: LogFile, account: Account) -> TrainingLog:
        start = self.starts[-1] if self.starts else None
        if len(self.starts) > 1:
            account.warn(f"{len(self.starts)} runs in one file; the last one is read")
        if start is None:
            account.warn("no run_start: the training window is unknown")
        elif self.stop is None:
            account.warn("no run_stop: the run ended before its target or the log is cut")
        benchmark = _text(self.first.get("submission_benchmark"))
        batch = mllog.numeric(self.first.get("global_batch_size"))
        length = _TOKENS_PER_SAMPLE.get(benchmark or "")
        longest = mllog.numeric(self.first.get("max_sequence_length"))
        series = self._series(benchmark, batch, length, account)
        reached = [count for _, count, loss in series if math.isnan(loss)] or [count for _, count, _ in series]
        samples = max(reached, default=None)
        tokens = samples * length if samples is not None and length else None
        steps = _steps(series, batch, length)
        return TrainingLog(
            source=Source(file.path, FORMAT.format),
            framework="MLPerf",
            quality=account.quality(file),
            clock="utc",
            steps=steps,
            first_step=int(steps.step[0]) if steps is not None and len(steps.step) else None,
            last_step=int(steps.step[-1]) if steps is not None and len(steps.step) else None,
            step_count=_count(samples, batch),
            job_start_s=min(self.times, default=None),
            job_end_s=max(self.times, default=None),
            train_start_s=start,
            train_end_s=self.stop,
            runtime_s=self.stop - start if start is not None and self.stop is not None else None,
            samples=samples,
            tokens=tokens,
            tokens_per_sample=float(length) if length else None,
            sequence_length=length or values.whole(longest),
            global_batch_size=int(batch) if batch else None,
            throughput_samples_per_s=float(np.mean(self.throughput)) if self.throughput else None,
            phases=self._phases(),
            status="success" if self.status == "success" else "aborted" if self.status == "aborted" else None,
            benchmark=benchmark,
            organisation=_text(self.first.get("submission_org")),
            platform=_text(self.first.get("submission_platform")),
        )

    def _series(
        self, benchmark: str | None, batch: float | None, length: int | None, account: Account
    ) -> list[tuple[float, float, float]]:
        """Return `(time, samples, loss)` of the points that carry a counter, in samples whatever the log counted in."""
        out = []
        epoch = mllog.numeric(self.first.get("train_samples")) if benchmark in _COUNTS_EPOCHS else None
        for time_s, metadata, loss in self.points:
            samples = _samples(metadata, benchmark, batch, length, epoch)
            if samples is not None and samples < _MOST_SAMPLES:
                out.append((time_s, samples, loss))
        if not out:
            account.warn("the log does not tell how many samples were trained")
        return sorted(out, key=lambda p: (p[0], p[1]))

    def _phases(self) -> tuple[Phase, ...]:
        phases = []
        opened: float | None = None
        for key, time_s in self.evals:
            if key == "eval_start":
                opened = time_s if opened is None else opened
            elif opened is not None:
                phases.append(Phase("eval", opened, time_s))
                opened = None
        return tuple(phases)


def _samples(
    metadata: dict[str, Any], benchmark: str | None, batch: float | None, length: int | None, epoch: float | None
) -> float | None:
    """Return samples from the counter that this benchmark logs; `epoch` is the samples of one, where that counts."""
    for name in _COUNTERS:
        count = mllog.numeric(metadata.get(name))
        if count is None:
            continue
        if benchmark in _COUNTS_TOKENS and length:
            return count / length
        if name == "epoch_num" and benchmark in _SAMPLES_AN_EPOCH:
            return count if count > _MOST_EPOCHS else float(round(count * _SAMPLES_AN_EPOCH[benchmark]))
        if name == "epoch_num" and epoch is not None:
            return float(round(count * epoch))
        if name == "epoch_num" and benchmark != "bert":
            continue  # epochs of an unknown data set
        return count
    step = mllog.numeric(metadata.get("step_num"))
    return step * batch if step is not None and batch else None


def _steps(series: list[tuple[float, float, float]], batch: float | None, length: int | None) -> StepSeries | None:
    """Return the points as steps where a global batch divides the samples."""
    if not series or not batch or batch < 1:
        return None
    time, samples, loss = (np.array(column, dtype=np.float64) for column in zip(*series, strict=True))
    step = samples / batch
    return StepSeries(
        step=np.rint(step).astype(np.int64),
        time_s=time,
        duration_s=np.full(len(time), np.nan),
        tokens=samples * length if length else np.full(len(time), np.nan),
        samples=samples,
        loss=loss,
    )


def _count(samples: float | None, batch: float | None) -> int | None:
    return math.ceil(samples / batch) if samples is not None and batch else None


def _text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and re.search(r"\w", value) else None
