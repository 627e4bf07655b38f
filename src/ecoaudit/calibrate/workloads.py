"""What an MLPerf result log says of the work done: samples, tokens and model FLOPs of each benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass

from ecoaudit.calibrate.mllog import Event

RESULT_KEYS = (
    "run_start",
    "run_stop",
    "submission_benchmark",
    "submission_org",
    "submission_platform",
    "global_batch_size",
    "train_samples",
    "trained_samples",
    "eval_accuracy",
    "block_stop",
)

# The images of MLPerf's RetinaNet data set (OpenImages v6, the mlperf subset); the logs give batches or nothing.
_RETINANET_IMAGES = 1_170_301

# Benchmarks that changed their name from one round to the next.
_SAME_AS = {"ssd": "retinanet", "llama2-70b-lora": "llama2_70b_lora"}


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A transformer benchmark: parameters, layers, hidden size, sequence length and FLOPs per parameter and token."""

    params: float
    layers: int
    hidden: int
    sequence: int
    flops_per_param: float
    number_format: str | None

    @property
    def flops_per_token(self) -> float:
        """Return model FLOPs a token: c N + 6 L h s (causal attention, no recompute), c = 6, or 4 for a LoRA."""
        return self.flops_per_param * self.params + 6.0 * self.layers * self.hidden * self.sequence


# Sizes: the benchmarks' reference implementations (mlcommons/training). FP8: the submissions' own configuration files
# (FP8=True in gpt3 and llama2_70b_lora of the v4.0, v4.1 and v5.0 power submissions).
LANGUAGE_MODELS = {
    "gpt3": LanguageModel(174.6e9, 96, 12288, 2048, 6.0, "fp8"),
    "llama2_70b_lora": LanguageModel(68.98e9, 80, 8192, 8192, 4.0, "fp8"),
}


def workload_name(benchmark: str) -> str:
    """Return the benchmark's one name over all rounds."""
    return _SAME_AS.get(benchmark, benchmark)


def samples(workload: str, events: Sequence[Event]) -> float | None:
    """Return the samples trained from run_start to run_stop, None where the log does not tell.

    Each benchmark counts its own way: bert and gpt3 (tokens there) log the total, LoRA the samples at run_stop, DLRM
    a fraction of its data set, ResNet and RetinaNet epochs, U-Net the samples as `epoch`, Stable Diffusion steps.
    """
    count = _COUNTERS.get(workload)
    return count(events) if count else None


def flops_per_sample(workload: str) -> float | None:
    """Return model FLOPs of one sample (a full sequence), None where the benchmark's FLOPs are not well defined."""
    model = LANGUAGE_MODELS.get(workload)
    return model.flops_per_token * model.sequence if model else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _last(events: Sequence[Event], key: str, detail: str | None = None) -> float | None:
    for event in reversed(events):
        if event.key == key:
            found = _number(event.value if detail is None else event.detail(detail))
            if found is not None:
                return found
    return None


def _product(*factors: float | None) -> float | None:
    result = 1.0
    for factor in factors:
        if factor is None:
            return None
        result *= factor
    return result


def _bert(events: Sequence[Event]) -> float | None:
    return _last(events, "train_samples")


def _gpt3(events: Sequence[Event]) -> float | None:
    return _product(_last(events, "trained_samples"), 1.0 / LANGUAGE_MODELS["gpt3"].sequence)


def _lora(events: Sequence[Event]) -> float | None:
    stop = _last(events, "run_stop", "samples_count")
    return stop if stop is not None else _last(events, "eval_accuracy", "samples_count")


def _dlrm(events: Sequence[Event]) -> float | None:
    return _product(_last(events, "run_stop", "epoch_num"), _last(events, "train_samples"))


def _resnet(events: Sequence[Event]) -> float | None:
    return _product(_last(events, "eval_accuracy", "epoch_num"), _last(events, "train_samples"))


def _retinanet(events: Sequence[Event]) -> float | None:
    return _product(_last(events, "eval_accuracy", "epoch_num"), _RETINANET_IMAGES)


def _unet3d(events: Sequence[Event]) -> float | None:
    return _last(events, "run_stop", "epoch")


def _stable_diffusion(events: Sequence[Event]) -> float | None:
    return _product(_last(events, "run_stop", "step_num"), _last(events, "global_batch_size"))


_COUNTERS = {
    "bert": _bert,
    "gpt3": _gpt3,
    "llama2_70b_lora": _lora,
    "dlrm_dcnv2": _dlrm,
    "resnet": _resnet,
    "retinanet": _retinanet,
    "unet3d": _unet3d,
    "stable_diffusion": _stable_diffusion,
}
