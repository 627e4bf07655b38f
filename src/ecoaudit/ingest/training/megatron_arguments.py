"""What the dump of arguments says that Megatron-LM and GPT-NeoX print at the start."""

import re

from ecoaudit.ingest import values

_ARGUMENT = re.compile(r"(?:^|\s)(\w+) \.{3,} (\S.*?)\s*$")
_ORIGIN = re.compile(r"\.{3,}(?:default|updated)?$")
_PRECISION = {
    "torch.bfloat16": "bf16",
    "torch.float16": "fp16",
    "torch.half": "fp16",
    "torch.float32": "fp32",
    "bfloat16": "bf16",
    "bf16": "bf16",
    "fp16": "fp16",
    "fp32": "fp32",
}
_FLASH = ("use_flash_attn", "use_flash_attn_v1", "use_flash_attn_v2", "use_flash_attn_triton", "use_flash_attn_builder")


class Arguments:
    """The arguments by name, each as first printed."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def notice(self, text: str) -> bool:
        """Take a line `name ..... value`, with GPT-NeoX's `....updated` behind it or not; DeepSpeed's are not these."""
        match = _ARGUMENT.search(text) if "...." in text and "config.py" not in text else None
        if match is None:
            return False
        self._of.setdefault(match[1], _ORIGIN.sub("", match[2]))
        return True

    def number(self, *names: str) -> float | None:
        """Return the first of these arguments that is a number above zero."""
        for name in names:
            text = self._of.get(name, "None").strip("[]")  # Megatron-DeepSpeed has lists: num_experts [64]
            value = values.fact(text) if text != "None" else None
            if value is not None and value > 0:
                return value
        return None

    def true(self, name: str) -> bool:
        """Return whether a switch is on."""
        return self._of.get(name) == "True"

    @property
    def precision(self) -> str | None:
        """The number format of the matrix products: FP4 or FP8 where it is on, else what the parameters are kept in."""
        for narrow in ("fp4", "fp8"):
            if self._of.get(narrow, "None") not in ("None", "False"):
                return narrow
        named = next((name for name in ("bf16", "fp16") if self.true(name)), None)
        return (
            named or _PRECISION.get(self._of.get("params_dtype", "")) or _PRECISION.get(self._of.get("precision", ""))
        )

    @property
    def attention(self) -> str | None:
        """The attention kernels that the arguments name; `auto` names none, and neither do several."""
        if any(self.true(name) for name in _FLASH):
            return "flash"
        backend = self._of.get("attention_backend", "").rpartition(".")[2]
        if backend not in ("", "auto", "None"):
            return backend
        layers = set(re.findall(r"'([a-z_]+)'", self._of.get("attention_config", "")))
        return layers.pop() if len(layers) == 1 else None
