"""Marks phases and steps of a Lightning Trainer, by its `Callback` hooks."""

# ruff: noqa: ARG002 - the arguments of the hooks are the framework's

import importlib
import sys
from typing import Any

from ecoaudit.callbacks.phases import TrainerPhase
from ecoaudit.record import api

_PACKAGES = ("lightning.pytorch", "pytorch_lightning")


def _base() -> type[Any]:
    """Return `Callback` of the package that the program uses: importing the other one too takes seconds."""
    for package in sorted(_PACKAGES, key=lambda name: name not in sys.modules):
        try:
            found: type[Any] = importlib.import_module(f"{package}.callbacks").Callback
        except ImportError:
            continue
        return found
    return object  # a stand-in trainer, or a test: the hooks are called by name


class LightningCallback(_base()):  # type: ignore[misc]
    """Marks `train`, `eval` and `checkpoint`, and each optimizer step; with `tokens_per_batch` also its tokens.

    `tokens_per_batch` is the number of tokens of one batch over all ranks; batches of an accumulated gradient add up.
    A checkpoint is seen while training, from its first byte to the next batch: the trainer has no hook for its end.
    """

    def __init__(self, tokens_per_batch: float | None = None) -> None:
        super().__init__()
        self._tokens_per_batch = tokens_per_batch
        self._phase = TrainerPhase()
        self._step = -1
        self._batches = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin the phase `train`, after the sanity check of the validation."""
        self._step, self._batches = int(trainer.global_step), 0
        if _first_of_host(trainer):
            self._phase.begin_training()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Go back to `train` after a checkpoint."""
        if _first_of_host(trainer):
            self._phase.leave()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Mark a step when the optimizer has made one; batches between accumulate."""
        self._batches += 1
        if int(trainer.global_step) == self._step:
            return
        self._step = int(trainer.global_step)
        tokens = None if self._tokens_per_batch is None else self._tokens_per_batch * self._batches
        self._batches = 0
        if _first_of_host(trainer):
            api.step(self._step, tokens=tokens)

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: Any) -> None:
        """Begin the phase `checkpoint`; outside training nothing would end it."""
        if self._phase.training and _first_of_host(trainer):
            self._phase.enter("checkpoint")

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin the phase `eval`."""
        if _first_of_host(trainer):
            self._phase.enter("eval")

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Go back to `train`; after the sanity check, or by `validate` alone, nothing trains."""
        if _first_of_host(trainer):
            self._phase.leave()

    on_test_start = on_predict_start = on_validation_start
    on_test_end = on_predict_end = on_validation_end

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """What follows training is not training."""
        if _first_of_host(trainer):
            self._phase.end_training()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Training that an error or Ctrl-C has ended is over too; the hook of its end is not called then."""
        self.on_train_end(trainer, pl_module)


def _first_of_host(trainer: Any) -> bool:
    """Return whether this is the host's first rank; ranks that were spawned do not tell it by their environment."""
    return int(getattr(trainer, "local_rank", 0)) == 0
