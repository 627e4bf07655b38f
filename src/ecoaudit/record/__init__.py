"""The sidecar: records telemetry beside a training job. Standard library and nvidia-ml-py only.

`ecoaudit.record` is both this package and, called, the context manager of `ecoaudit.record.api`:

    with ecoaudit.record("run.jsonl"):
        train()
"""

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Recording

if not hasattr(os, "fork"):
    raise ImportError(
        "recording needs Linux or another Unix; elsewhere let nvidia-smi log the power and audit its log", name=__name__
    )


class _CallablePackage(ModuleType):
    """A package that can be called: `ecoaudit.record(...)` is `ecoaudit.record.api.record(...)`."""

    def __call__(self, *args: Any, **options: Any) -> "Recording":
        from .api import record

        return record(*args, **options)


sys.modules[__name__].__class__ = _CallablePackage
