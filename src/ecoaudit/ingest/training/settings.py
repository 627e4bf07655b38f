"""From a run's configuration (W&B config, MLflow parameters, YAML) to what it says of model, batch and precision."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ecoaudit.ingest import values

# Names as frameworks have them, the surest first; only the last part of a nested name counts.
_COUNTS = {
    "params": (
        "num_parameters",
        "n_parameters",
        "num_params",
        "n_params",
        "total_params",
        "total_parameters",
        "param_count",
    ),
    "sequence_length": (
        "sequence_length",
        "seq_length",
        "seq_len",
        "max_seq_length",
        "max_seq_len",
        "max_sequence_length",
        "sequence_len",
        "context_length",
        "cutoff_len",
        "block_size",
    ),
    "global_batch_size": ("global_batch_size", "global_train_batch_size", "train_global_batch_size"),
    "world_size": ("world_size",),
    "layers": ("num_hidden_layers", "num_layers", "n_layer", "n_layers"),
    "hidden_size": ("hidden_size", "n_embd", "d_model"),
}
_LIMITS = {"params": (1e3, 1e14), "sequence_length": (1, 1e8), "layers": (1, 1e4), "hidden_size": (1, 1e6)}
_PRECISION = ("mixed_precision", "precision", "amp_dtype", "dtype", "torch_dtype")
_ATTENTION = ("_attn_implementation", "attn_implementation", "attention_backend", "attn_impl", "flash_attn")
_SWITCHES = (
    ("flash_attention", "flash_attention"),
    ("use_flash_attn", "flash_attention"),
    ("use_flash_attention", "flash_attention"),
    ("use_flash_attention_2", "flash_attention_2"),
    ("xformers_attention", "xformers"),
    ("sdp_attention", "sdpa"),
)
_ADAPTER_SWITCHES = ("use_peft", "use_lora", "use_qlora", "lora_enable")
_ADAPTER_KINDS = ("adapter", "finetuning_type")
# Names that a Hugging Face model's own configuration uses for what its architecture could take at most.
_ARCHITECTURE = ("seq_length", "max_seq_len", "max_sequence_length", "context_length", "block_size")
_HUGGING_FACE = ("transformers_version", "architectures", "model_type")
_NAMES = {name for spellings in _COUNTS.values() for name in spellings}
_NAMES |= {*_PRECISION, *_ATTENTION, *(switch for switch, _ in _SWITCHES), "fp8", "bf16", "fp16"}
_NAMES |= {*_ADAPTER_SWITCHES, *_ADAPTER_KINDS}
# One setting on a line as YAML, JSON, Python and argument dumps have it, at whatever depth.
_SETTING = re.compile(
    r"""^[\s{(]*["']?([A-Za-z_][\w./]{1,60})["']?\s*(?::|=)\s*["']?([\w.+-]{1,40})["']?[\s,)}]*(?:#.*)?$"""
)
_FORMATS = {"16": "fp16", "32": "fp32", "half": "fp16", "float": "fp32"}
_WORD = re.compile(r"[A-Za-z][\w-]{1,30}")
_DEPTH = 6


def facts(config: Mapping[str, Any], *, hugging_face: bool = False) -> dict[str, Any]:
    """Return the fields of `TrainingLog` that a configuration tells, by their names; layers and width only together.

    Parameters are left out where an adapter is trained: most of them are frozen. `hugging_face` says that a model's
    configuration is among the settings, as its keys do otherwise.
    """
    known: dict[str, Any] = {}
    flat = _flat(config)
    of_model = _ARCHITECTURE if hugging_face or any(name in flat for name in _HUGGING_FACE) else ()
    for name, spellings in _COUNTS.items():
        if name == "params" and adapter(flat):
            continue
        low, high = _LIMITS.get(name, (1, 1e9))
        for spelling in spellings:
            if spelling in of_model:
                continue
            value = _number(flat.get(spelling))
            if low <= value <= high and value == int(value):
                known[name] = float(value) if name == "params" else int(value)
                break
    if not {"layers", "hidden_size"} <= known.keys():
        known.pop("layers", None)
        known.pop("hidden_size", None)
    known |= {"precision": _precision(flat), "attention": _attention(flat)}
    return {name: value for name, value in known.items() if value is not None}


def adapter(flat: Mapping[str, Any]) -> bool:
    """Return whether settings say that an adapter (LoRA and its kin) is trained on a frozen model."""
    return (
        bool(flat.get("peft_config"))
        or any(_true(flat.get(name)) for name in _ADAPTER_SWITCHES)
        or any("lora" in str(flat.get(name)).lower() for name in _ADAPTER_KINDS)
    )


def notice(text: str, into: dict[str, Any]) -> None:
    """Keep a setting that `facts` knows from a line of a printed configuration; the first of a name wins."""
    if len(text) < 160 and (match := _SETTING.match(text)) and _last(match[1]) in _NAMES:
        into.setdefault(_last(match[1]), match[2])


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings by the last part of their name in lower case; the least nested one wins."""
    out: dict[str, Any] = {}
    for _, name, value in sorted(_leaves(config, 0), key=lambda leaf: leaf[0]):
        out.setdefault(name, value)
    return out


def _leaves(config: Mapping[str, Any], depth: int) -> Iterator[tuple[int, str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            if _last(key) == "peft_config":
                yield depth, "peft_config", bool(value) and value.get("value", value) not in (None, {})
                continue
            # config.yaml of W&B holds each value below a key of that name.
            if set(value) - {"desc"} == {"value"} and not isinstance(value["value"], Mapping):
                yield depth, _last(key), value["value"]
            elif depth < _DEPTH and key != "_wandb":
                yield from _leaves(value, depth + 1)
        else:
            yield depth, _last(key), value


def _last(key: object) -> str:
    return re.split(r"[./]", str(key))[-1].strip().lower().replace("-", "_")


def _number(value: object) -> float:
    if isinstance(value, str):
        try:
            return values.number(value)
        except ValueError:
            return math.nan
    return values.real(value)


def _true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def _precision(flat: Mapping[str, Any]) -> str | None:
    """Return the number format of the matrix products; a mixed-precision switch wins over the weights' format."""
    for switch in ("fp8", "bf16", "fp16"):
        if _true(flat.get(switch)):
            return switch
    for name in _PRECISION:
        text = str(flat.get(name) or "").lower().removeprefix("torch.").removeprefix("amp_")
        found = re.match(r"(fp8|bf16|bfloat16|fp16|float16|fp32|float32|tf32|half|float|16|32)(?![\d])", text)
        if found:
            word = found[1]
            return _FORMATS.get(word, word.replace("bfloat16", "bf16").replace("float", "fp"))
    return None


def _attention(flat: Mapping[str, Any]) -> str | None:
    for name in _ATTENTION:
        value = flat.get(name)
        if isinstance(value, str) and _WORD.fullmatch(value) and value.lower() not in ("none", "auto", "null", "true"):
            return None if value.lower() in ("disabled", "false") else value
    return next((word for switch, word in _SWITCHES if _true(flat.get(switch))), None)
