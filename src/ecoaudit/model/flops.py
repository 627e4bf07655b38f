"""Floating-point operations of training: model FLOPs, without recomputed activations, causal attention counted once.

Per token: 6 N + 6 L h s for full training, where N is the number of active parameters without the input-embedding
look-up, L layers, h hidden size, s sequence length (Kaplan et al. 2020, arXiv 2001.08361; attention term after
Narayanan et al. 2021, arXiv 2104.04473, halved for the causal mask). LoRA needs no weight gradient of the frozen base:
4 N + 6 L h s. What recomputation adds belongs to HFU, not to MFU (PaLM, arXiv 2204.02311, appendix B).
"""

from dataclasses import dataclass

import numpy as np

from ecoaudit.ingest.records import TrainingLog
from ecoaudit.model.inputs import StatedModel
from ecoaudit.model.uncertainty import Uncertain, exact, factor

ASPECT_RATIO = 128
"""Hidden size over layers of dense decoders from 1 to 175 billion parameters (GPT-3 175B 128, LLaMA 7B 128)."""

SAME_MODEL = 2.0
"""Embeddings, grouped queries and gated layers move 12 L h^2 off the parameter count by less than this."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model's shape: active parameters, layers, hidden size, sequence length; `lora` where the base is frozen."""

    params: float
    layers: int
    hidden: int
    sequence: int
    lora: bool = False

    def flops_per_token(self) -> float:
        """Return model FLOPs per token."""
        return (4.0 if self.lora else 6.0) * self.params + 6.0 * self.layers * self.hidden * self.sequence


# MLPerf Training's language models (training_policies; parameters and shapes of the published models).
BENCHMARKS = {
    "gpt3": Architecture(174.6e9, 96, 12288, 2048),
    "llama2_70b_lora": Architecture(68.98e9, 80, 8192, 8192, lora=True),
    "llama31_8b": Architecture(8.03e9, 32, 4096, 8192),
    "llama31_405b": Architecture(405.85e9, 126, 16384, 8192),
}


# What the tables call a workload that logs name otherwise: MLPerf logs RetinaNet as the detector family, ssd.
_TABLE_NAMES = {"ssd": "retinanet"}


def workload_of(training: TrainingLog | None) -> str | None:
    """Return the name under which the reference tables keep the run's benchmark, None for a run that is none."""
    name = training.benchmark if training is not None else None
    return _TABLE_NAMES.get(name, name) if name is not None else None


@dataclass(frozen=True, slots=True)
class Work:
    """What the run computed: tokens, model FLOPs with their doubt, FLOPs per token, and how they were counted."""

    tokens: float | None
    flops: Uncertain | None
    source: str

    @property
    def flops_per_token(self) -> float | None:
        """Model FLOPs per token, None where tokens or FLOPs are not known."""
        return self.flops.value / self.tokens if self.flops and self.tokens else None


def count_work(training: TrainingLog, gpu_count: int | None, stated: StatedModel | None = None) -> Work:
    """Return the useful work of a run: by the stated model, its benchmark's known shape, the log's own count, or its
    parameters.
    """
    shape = BENCHMARKS.get(training.benchmark or "")
    sequence = _sequence(training, stated)
    tokens = training.tokens
    if tokens is None and training.samples:
        per_sample = training.tokens_per_sample or (shape.sequence if shape else stated and stated.sequence_length)
        tokens = training.samples * per_sample if per_sample else None
    if stated is not None and tokens:
        return _from_statement(stated, training, sequence, tokens)
    if shape is not None and tokens:
        source = f"{_linear(lora=shape.lora)} + 6Lhs per token, {training.benchmark}"
        return Work(tokens, exact(tokens * shape.flops_per_token()), source)
    if training.flops and training.flops_kind == "model" and not training.lora:
        return Work(tokens, exact(training.flops), f"counted by {training.framework}")
    if training.params and tokens:
        params = training.params - (training.embedding_params or 0.0)
        if training.layers and training.hidden_size and training.sequence_length:
            shape = Architecture(params, training.layers, training.hidden_size, training.sequence_length, training.lora)
            source = f"{_linear(lora=training.lora)} + 6Lhs per token, L and h as logged"
            return Work(tokens, exact(tokens * shape.flops_per_token()), source)
        return _from_parameters(params, training.sequence_length, tokens, lora=training.lora)
    flops = logged_flops(training, gpu_count)
    if flops and training.lora and training.flops_kind == "model":
        source = f"counted by {training.framework} as 6N a token; 4N, as the base is frozen"
        return Work(tokens, exact(flops * 4.0 / 6.0), source)
    if flops is None:
        return Work(tokens, None, "neither the model's size nor its FLOPs are in the logs")
    if training.flops_kind == "hardware":
        return Work(
            tokens, None, "the log counts recomputed FLOPs too, and the model's size is not in it; give --params"
        )
    return Work(tokens, exact(flops), f"TFLOP/s that {training.framework} logged")


def logged_flops(training: TrainingLog, gpu_count: float | None) -> float | None:
    """Return the FLOPs that the log counts, or its rate over the steps' own durations; of the log's own kind."""
    if training.flops:
        return training.flops
    rate, steps = training.tflops_per_gpu, training.steps
    if not rate or not gpu_count or steps is None or not np.isfinite(steps.duration_s).any():
        return None
    seconds = float(np.nanmean(steps.duration_s)) * (training.step_count or steps.duration_s.size)
    return rate * 1e12 * gpu_count * seconds


def is_lora(training: TrainingLog | None, stated: StatedModel | None) -> bool:
    """Return whether the run trains an adapter on a frozen model, as stated or as logged."""
    return (stated is not None and stated.lora) or (training is not None and training.lora)


def _sequence(training: TrainingLog, stated: StatedModel | None) -> int | None:
    """Return the sequence length: as stated, as logged, else as the known model was published with."""
    if stated is None:
        return training.sequence_length
    return stated.sequence_length or training.sequence_length or stated.preset_sequence_length


def _from_statement(stated: StatedModel, training: TrainingLog, sequence: int | None, tokens: float) -> Work:
    """Return the FLOPs of the stated model: exact where its shape is stated or logged, else with attention guessed."""
    params = stated.active_params or stated.params
    if params is None:
        raise ValueError("a stated model has params or active_params")
    lora = is_lora(training, stated)
    whose = f"model: {stated.source}"
    if stated.layers and stated.hidden_size and sequence:
        shape = Architecture(params, stated.layers, stated.hidden_size, sequence, lora)
        source = f"{_linear(lora=lora)} + 6Lhs per token; {whose}"
        return Work(tokens, exact(tokens * shape.flops_per_token()), source)
    layers, hidden = training.layers, training.hidden_size
    if layers and hidden and sequence and _fits(params, layers, hidden):
        shape = Architecture(params, layers, hidden, sequence, lora)
        source = f"{_linear(lora=lora)} + 6Lhs per token, L and h as logged; {whose}"
        return Work(tokens, exact(tokens * shape.flops_per_token()), source)
    work = _from_parameters(params, sequence, tokens, lora=lora)
    return Work(work.tokens, work.flops, f"{work.source}; {whose}")


def _fits(params: float, layers: int, hidden: int) -> bool:
    """Return whether a logged shape can be that of a dense model with so many parameters: about 12 L h^2 of them."""
    return 1 / SAME_MODEL <= 12.0 * layers * hidden**2 / params <= SAME_MODEL


def _linear(*, lora: bool) -> str:
    return "4N" if lora else "6N"


def _from_parameters(params: float, sequence: int | None, tokens: float, *, lora: bool) -> Work:
    """Return 6N + 6Lhs (LoRA: 4N) with L and h guessed from N by the usual aspect ratio (N = 12 L h^2).

    Without a sequence length attention is not counted.
    """
    counted = _linear(lora=lora)
    linear = exact((4.0 if lora else 6.0) * params * tokens)
    if not sequence:
        return Work(tokens, linear, f"{counted} per token; attention not counted (sequence length not logged)")
    layers = (params / (12.0 * ASPECT_RATIO**2)) ** (1 / 3)
    attention = 6.0 * layers * (ASPECT_RATIO * layers) * sequence * tokens
    guess = factor("attention FLOPs from the parameter count", 1.0, 0.6, 1.5, at_least=0.0)
    return Work(tokens, linear + attention * guess, f"{counted} + 6Lhs per token, L and h guessed from N (h = 128 L)")
