"""Energy, carbon and cost audit of a training run.

In a training process: `with ecoaudit.record("run.jsonl"):`, `ecoaudit.phase("eval")` and `ecoaudit.step(n, tokens=…)`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecoaudit.record.api import phase, record, step

__version__ = "0.1.0"
__all__ = ["__version__", "phase", "record", "step"]


def __getattr__(name: str) -> Any:
    """Load the recorder's Python interface when it is first used; importing the package alone costs nothing."""
    if name == "record":
        import importlib

        return importlib.import_module("ecoaudit.record")  # the package itself can be called
    if name in ("phase", "step"):
        from ecoaudit.record import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
