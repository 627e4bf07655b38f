"""Marks phases and steps of Hugging Face's Trainer, by its `TrainerCallback` events."""

# ruff: noqa: ARG002 - the arguments of the hooks are the framework's

from typing import Any

from ecoaudit.record import api

try:
    from transformers import TrainerCallback as _Base
except ImportError:  # a stand-in trainer, or a test: the events are called by name
    _Base = object


class HuggingFaceCallback(_Base):  # type: ignore[misc,unused-ignore]
    """Marks `train`, `eval` and `checkpoint`, and each optimizer step with its tokens where the trainer counts them.

    Set `include_num_input_tokens_seen=True` (or `"all"`) in the training arguments for J/token. The time of a
    checkpoint is not seen as a phase: the trainer tells only when it has been saved.
    """

    def __init__(self) -> None:
        super().__init__()
        self._training = False
        self._evaluating = False
        self._tokens_seen = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin the phase `train`; tokens of a resumed run were counted by the run before."""
        self._tokens_seen = _seen(state)
        self._training = True
        api.phase("train")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark the optimizer step with the tokens since the last one."""
        seen = _seen(state)
        api.step(state.global_step, tokens=(seen - self._tokens_seen) or None)
        self._tokens_seen = seen

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin the phase `eval` with the first prediction; the trainer has no event for its start."""
        if not self._evaluating:
            self._evaluating = True
            api.phase("eval")

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Go back to what was before an evaluation."""
        self._back()

    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        """Go back to what was before a prediction run."""
        self._back()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """What follows training is not training."""
        self._training = False
        api.phase("idle")

    def _back(self) -> None:
        if self._evaluating:
            self._evaluating = False
            api.phase("train" if self._training else "idle")


def _seen(state: Any) -> int:
    """Return the tokens that the trainer has counted so far, over all ranks; 0 where it does not count."""
    return int(getattr(state, "num_input_tokens_seen", 0) or 0)
