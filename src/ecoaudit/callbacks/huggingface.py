"""Marks phases and steps of Hugging Face's Trainer, by its `TrainerCallback` events."""

# ruff: noqa: ARG002 - the arguments of the hooks are the framework's

from typing import Any

from ecoaudit.callbacks.phases import TrainerPhase
from ecoaudit.record import api

try:
    from transformers import TrainerCallback as _Base
except ImportError:  # a stand-in trainer, or a test: the events are called by name
    _Base = object


class HuggingFaceCallback(_Base):  # type: ignore[misc,unused-ignore]
    """Marks `train`, `eval` and `checkpoint`, and each optimizer step with its tokens where the trainer counts them.

    Set `include_num_input_tokens_seen="all"` (before transformers 5: `True`) in the training arguments for J/token.
    The trainer has no event for the start of an evaluation or a checkpoint, but says after a step what comes next.
    An evaluation outside training is seen from the end of its first batch on.
    """

    def __init__(self) -> None:
        super().__init__()
        self._phase = TrainerPhase()
        self._tokens_seen = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin the phase `train`; tokens of a resumed run were counted by the run before."""
        self._tokens_seen = _seen(state)
        if _first_of_host(state):
            self._phase.begin_training()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Go back to `train` where what was announced did not come."""
        if _first_of_host(state):
            self._phase.leave()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the optimizer step with the tokens since the last one."""
        if not _first_of_host(state):
            return
        seen = _seen(state)
        api.step(state.global_step, tokens=(seen - self._tokens_seen) or None)
        self._tokens_seen = seen
        self._announce(control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin what comes at the end of an epoch."""
        if _first_of_host(state):
            self._announce(control)

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin what comes after the log's row, for which the trainer has waited for the GPU."""
        if _first_of_host(state):
            self._announce(control)

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin the phase `eval` where nothing has announced it."""
        if _first_of_host(state):
            self._phase.enter("eval")

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End an evaluation; a checkpoint comes next, or what was before."""
        if _first_of_host(state) and not self._announce(control):
            self._phase.leave()

    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        """Go back to what was before a prediction run."""
        if _first_of_host(state):
            self._phase.leave()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Go back to `train` once the checkpoint is written."""
        if _first_of_host(state):
            self._phase.leave()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """What follows training is not training."""
        if _first_of_host(state):
            self._phase.end_training()

    def _announce(self, control: Any) -> bool:
        """Begin what the trainer does next, if anything: it logs, evaluates and saves, in this order, what is due."""
        if not self._phase.training or getattr(control, "should_log", False):
            return False
        if getattr(control, "should_evaluate", False):
            self._phase.enter("eval")
        elif getattr(control, "should_save", False):
            self._phase.enter("checkpoint")
        else:
            return False
        return True


def _seen(state: Any) -> int:
    """Return the tokens that the trainer has counted so far, over all ranks; 0 where it does not count."""
    return int(getattr(state, "num_input_tokens_seen", 0) or 0)


def _first_of_host(state: Any) -> bool:
    """Return whether this is the host's first rank; ranks that were forked do not tell it by their environment."""
    return bool(getattr(state, "is_local_process_zero", True))
