"""Marks phases and steps of a Lightning Trainer, by its `Callback` hooks."""

# ruff: noqa: ARG002 - the arguments of the hooks are the framework's

from typing import Any

from ecoaudit.record import api

try:
    from lightning.pytorch.callbacks import Callback as _Base
except ImportError:
    try:
        from pytorch_lightning.callbacks import Callback as _Base
    except ImportError:  # a stand-in trainer, or a test: the hooks are called by name
        _Base = object


class LightningCallback(_Base):  # type: ignore[misc,unused-ignore]
    """Marks `train` and `eval`, and each optimizer step; with `tokens_per_batch` also the tokens of a step.

    `tokens_per_batch` is the number of tokens of one batch over all ranks; batches of an accumulated gradient add up.
    """

    def __init__(self, tokens_per_batch: float | None = None) -> None:
        super().__init__()
        self._tokens_per_batch = tokens_per_batch
        self._training = False
        self._step = -1
        self._batches = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin the phase `train`, after the sanity check of the validation."""
        self._step = int(trainer.global_step)
        self._training = True
        api.phase("train")

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Mark a step when the optimizer has made one; batches between accumulate."""
        self._batches += 1
        if int(trainer.global_step) == self._step:
            return
        self._step = int(trainer.global_step)
        tokens = None if self._tokens_per_batch is None else self._tokens_per_batch * self._batches
        self._batches = 0
        api.step(self._step, tokens=tokens)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin the phase `eval`."""
        api.phase("eval")

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Go back to `train`; after the sanity check, or by `validate` alone, nothing trains."""
        api.phase("train" if self._training else "idle")

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """What follows training is not training."""
        self._training = False
        api.phase("idle")
