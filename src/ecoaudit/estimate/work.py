"""How much computing the run is: parameters, tokens, model FLOPs per token, and what recompute adds."""

from dataclasses import dataclass

from ecoaudit.errors import EcoauditError
from ecoaudit.estimate.request import EstimateRequest, Recompute
from ecoaudit.model.flops import ASPECT_RATIO, Architecture
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Uncertain, exact, factor
from ecoaudit.reference import Tables
from ecoaudit.reference.types import Citation, ModelPreset

DEFAULT_SEQUENCE = 4096
ATTENTION_GUESS = (1.0, 0.6, 1.5)
"""Attention FLOPs of a model of known parameters and unknown shape, relative to those of the usual shape (90 %)."""


@dataclass(frozen=True, slots=True)
class PlannedWork:
    """The work to be done. `flops` are model FLOPs (no recompute); `hardware_ratio` is hardware over model FLOPs.

    `attention_share` is the part of the model FLOPs that grows with the sequence length.
    """

    preset: ModelPreset | None
    params: float
    active_params: float
    sequence_length: int
    tokens: float
    flops: Uncertain
    attention_share: float
    hardware_ratio: float
    source: str


def plan_work(request: EstimateRequest, tables: Tables, notes: Notes) -> PlannedWork:
    """Return the work of the request; raises `EcoauditError` when parameters or tokens are not known."""
    preset = tables.model(request.model) if request.model else None
    if preset:
        more = f" ({preset.note})" if preset.note else ""
        notes.cite(
            "model", f"{preset.name}: {preset.active_params / 1e9:.4g}B active parameters{more}", preset.citation
        )
    active = request.active_params or request.params or (preset.active_params if preset else None)
    if active is None:
        raise EcoauditError("the model's size is not known", where="--params", fix="give --params or --model")
    if preset is None and request.active_params is None and request.method == "full":
        notes.state("active parameters", f"{active:.4g}", "all parameters; an untied input embedding would not count")
    sequence = request.sequence_length or (preset.sequence_length if preset else None)
    if sequence is None:
        sequence = DEFAULT_SEQUENCE
        notes.warn(f"the sequence length is not given: {DEFAULT_SEQUENCE} tokens are assumed; give --sequence-length")
    tokens = _tokens(request, preset, sequence, notes)
    shape, guessed = _shape(request, preset, active, sequence)
    linear = Architecture(active, 0, 0, sequence, shape.lora).flops_per_token()
    attention = exact(shape.flops_per_token() - linear)
    counted = f"{'4N' if shape.lora else '6N'} + 6Lhs per token, causal attention"
    if guessed:
        attention = attention * factor("attention FLOPs from the parameter count", *ATTENTION_GUESS, at_least=0.0)
        counted += ", L and h guessed from N (h = 128 L)"
    if shape.lora:
        notes.warn("no published BF16 run of LoRA or QLoRA is known: MFU is that of full training, on 4N FLOPs a token")
    per_token = attention + linear
    papers = Citation(counted + " (arXiv:2001.08361, 2104.04473)", year="2020, 2021", licence="facts")
    notes.cite("model FLOPs", f"{per_token.value:.4g} per token", papers)
    return PlannedWork(
        preset=preset,
        params=request.params or (preset.params if preset else active),
        active_params=active,
        sequence_length=sequence,
        tokens=tokens,
        flops=per_token * tokens,
        attention_share=attention.value / per_token.value,
        hardware_ratio=hardware_ratio(linear, attention.value, lora=shape.lora, recompute=request.recompute),
        source=counted,
    )


def hardware_ratio(linear: float, attention: float, *, lora: bool, recompute: Recompute) -> float:
    """Return hardware FLOPs over model FLOPs: full recompute repeats the forward pass, selective its attention only.

    The forward pass is a third of full training's FLOPs (2N of 6N), half of LoRA's (2N of 4N), and a third of
    attention's, which has no weights (Korthikanti et al. 2022, arXiv:2205.05198).
    """
    repeated = 0.0
    if recompute != "none":
        repeated += attention / 3.0
    if recompute == "full":
        repeated += linear / (2.0 if lora else 3.0)
    return 1.0 + repeated / (linear + attention)


def _tokens(request: EstimateRequest, preset: ModelPreset | None, sequence: int, notes: Notes) -> float:
    if request.tokens is not None:
        return request.tokens
    if request.samples is not None:
        notes.state("tokens", f"{request.samples * sequence:.4g}", f"samples x {sequence} tokens")
        return request.samples * sequence
    if preset is not None and preset.tokens is not None:
        notes.cite("tokens", f"{preset.tokens:.4g}, as {preset.name} was trained", preset.citation)
        return preset.tokens
    raise EcoauditError("the amount of training is not known", where="--tokens", fix="give --tokens or --samples")


def _shape(
    request: EstimateRequest, preset: ModelPreset | None, active: float, sequence: int
) -> tuple[Architecture, bool]:
    """Return the model's shape, and whether layers and hidden size are guessed from N (N = 12 L h^2, h = 128 L)."""
    lora = request.method != "full"
    if request.layers and request.hidden_size:
        return Architecture(active, request.layers, request.hidden_size, sequence, lora), False
    if preset is not None and request.params is None and request.active_params is None:
        return Architecture(active, preset.layers, preset.hidden_size, sequence, lora), False
    layers = (active / (12.0 * ASPECT_RATIO**2)) ** (1 / 3)
    # The product L x h enters; layers are whole only after the product is taken.
    return Architecture(active, 1, round(ASPECT_RATIO * layers**2), sequence, lora), True
