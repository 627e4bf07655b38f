"""The trainers' callbacks, called as the trainers call them."""

from types import SimpleNamespace
from typing import Any

import pytest

from ecoaudit.callbacks import HuggingFaceCallback, LightningCallback
from ecoaudit.record import api

Marks = list[tuple[Any, ...]]


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> Marks:
    seen: Marks = []
    monkeypatch.setattr(api, "phase", lambda name: seen.append(("phase", name)))
    monkeypatch.setattr(api, "step", lambda n, tokens=None: seen.append(("step", n, tokens)))
    return seen


def test_hugging_face_trainer(marks: Marks) -> None:
    """Two steps, an evaluation of two batches, a step; tokens counted from where a resumed run begins."""
    callback = HuggingFaceCallback()
    state = SimpleNamespace(global_step=10, num_input_tokens_seen=1000)

    def fire(event: str, **more: Any) -> None:
        getattr(callback, event)(SimpleNamespace(), state, SimpleNamespace(), model=None, **more)

    fire("on_train_begin")
    for _ in range(2):
        state.global_step += 1
        state.num_input_tokens_seen += 512
        fire("on_step_end")
    fire("on_prediction_step")
    fire("on_prediction_step")
    fire("on_evaluate", metrics={})
    state.global_step += 1
    fire("on_step_end")
    fire("on_train_end")
    assert marks == [
        ("phase", "train"),
        ("step", 11, 512),
        ("step", 12, 512),
        ("phase", "eval"),
        ("phase", "train"),
        ("step", 13, None),
        ("phase", "idle"),
    ]


def test_lightning_trainer(marks: Marks) -> None:
    """A sanity check, four batches of which two make a step, a validation."""
    callback = LightningCallback(tokens_per_batch=256)
    trainer = SimpleNamespace(global_step=0, sanity_checking=True)
    callback.on_validation_start(trainer, None)
    callback.on_validation_end(trainer, None)
    trainer.sanity_checking = False
    callback.on_train_start(trainer, None)
    for batch in range(4):
        trainer.global_step += batch % 2
        callback.on_train_batch_end(trainer, None, None, None, batch)
    callback.on_validation_start(trainer, None)
    callback.on_validation_end(trainer, None)
    callback.on_train_end(trainer, None)
    assert marks == [
        ("phase", "eval"),
        ("phase", "idle"),
        ("phase", "train"),
        ("step", 1, 512),
        ("step", 2, 512),
        ("phase", "eval"),
        ("phase", "train"),
        ("phase", "idle"),
    ]


def test_an_evaluation_after_training_is_not_followed_by_training(marks: Marks) -> None:
    hugging_face, state = HuggingFaceCallback(), SimpleNamespace(global_step=1)
    for event in ("on_train_begin", "on_train_end", "on_prediction_step", "on_evaluate"):
        getattr(hugging_face, event)(None, state, None)
    assert [name for _, name in marks] == ["train", "idle", "eval", "idle"]
    marks.clear()
    lightning, trainer = LightningCallback(), SimpleNamespace(global_step=1, sanity_checking=False)
    for event in ("on_train_start", "on_train_end", "on_validation_start", "on_validation_end"):
        getattr(lightning, event)(trainer, None)
    assert [name for _, name in marks] == ["train", "idle", "eval", "idle"]


def test_an_unknown_callback_is_an_ordinary_error() -> None:
    import ecoaudit.callbacks

    with pytest.raises(AttributeError, match="no attribute 'KerasCallback'"):
        _ = ecoaudit.callbacks.KerasCallback  # type: ignore[attr-defined]
