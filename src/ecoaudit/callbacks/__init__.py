"""Callbacks that mark a trainer's phases and steps in the recording.

    from ecoaudit.callbacks import HuggingFaceCallback
    Trainer(..., callbacks=[HuggingFaceCallback()])

Importing this package loads no framework; a callback loads its own when it is asked for, and works as a plain object
where that framework is not installed. Without a recorder the markers do nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecoaudit.callbacks.huggingface import HuggingFaceCallback
    from ecoaudit.callbacks.lightning import LightningCallback

__all__ = ["HuggingFaceCallback", "LightningCallback"]


def __getattr__(name: str) -> Any:
    """Load a callback when it is first used."""
    if name == "HuggingFaceCallback":
        from ecoaudit.callbacks.huggingface import HuggingFaceCallback

        return HuggingFaceCallback
    if name == "LightningCallback":
        from ecoaudit.callbacks.lightning import LightningCallback

        return LightningCallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
