"""The trainers' callbacks, called as the trainers call them."""

import sys
from types import ModuleType, SimpleNamespace
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


class HuggingFace:
    """Fires the callback's events in the order of Hugging Face's `Trainer`, with the flags of its control."""

    def __init__(self, **state: Any) -> None:
        self.callback = HuggingFaceCallback()
        self.state = SimpleNamespace(**({"global_step": 0, "is_local_process_zero": True} | state))
        self.control = SimpleNamespace(should_log=False, should_evaluate=False, should_save=False)

    def fire(self, event: str, **more: Any) -> None:
        getattr(self.callback, event)(SimpleNamespace(), self.state, self.control, model=None, **more)

    def step(self, *due: str, tokens: int = 0, batches: int = 2) -> None:
        """A step, and the log row, evaluation and checkpoint that are due after it."""
        self.fire("on_step_begin")
        self.state.global_step += 1
        if tokens:
            self.state.num_input_tokens_seen += tokens
        self.control.__dict__.update({f"should_{name}": True for name in due})
        self.fire("on_step_end")
        for name, event in (("log", "on_log"), ("evaluate", "on_evaluate"), ("save", "on_save")):
            if getattr(self.control, f"should_{name}"):
                for _ in range(batches if name == "evaluate" else 0):
                    self.fire("on_prediction_step")
                setattr(self.control, f"should_{name}", False)
                self.fire(event)


def test_hugging_face_trainer(marks: Marks) -> None:
    """Two steps, an evaluation, a step; tokens counted from where a resumed run begins."""
    trainer = HuggingFace(global_step=10, num_input_tokens_seen=1000)
    trainer.fire("on_train_begin")
    trainer.step(tokens=512)
    trainer.step("evaluate", tokens=512)
    trainer.step()
    trainer.fire("on_train_end")
    assert marks == [
        ("phase", "train"),
        ("step", 11, 512),
        ("step", 12, 512),
        ("phase", "eval"),
        ("phase", "train"),
        ("step", 13, None),
        ("phase", "idle"),
    ]


@pytest.mark.parametrize(
    ("due", "phases"),
    [
        (["log"], []),
        (["save"], ["checkpoint", "train"]),
        (["log", "save"], ["checkpoint", "train"]),
        (["log", "evaluate", "save"], ["eval", "checkpoint", "train"]),
    ],
)
def test_what_hugging_faces_trainer_says_is_due_begins_before_it_is_done(
    marks: Marks, due: list[str], phases: list[str]
) -> None:
    """The trainer has no event for the start of a checkpoint, and that of an evaluation's first batch is its end."""
    trainer = HuggingFace()
    trainer.fire("on_train_begin")
    trainer.step(*due)
    assert [name for kind, name, *_ in marks if kind == "phase"] == ["train", *phases]
    trainer = HuggingFace()
    trainer.fire("on_train_begin")
    trainer.control.should_evaluate = True
    marks.clear()
    trainer.fire("on_step_end")
    assert ("phase", "eval") in marks


def test_hugging_faces_log_row_comes_before_the_phase_that_follows_it(marks: Marks) -> None:
    """For the row's loss the trainer waits until the GPU has done the steps: that is training."""
    trainer = HuggingFace()
    trainer.fire("on_train_begin")
    trainer.control.should_log = trainer.control.should_save = True
    trainer.fire("on_step_end")
    assert marks[-1][0] == "step"
    trainer.control.should_log = False
    trainer.fire("on_log")
    assert marks[-1] == ("phase", "checkpoint")


def test_a_checkpoint_that_another_callback_calls_off_ends_with_the_next_step(marks: Marks) -> None:
    trainer = HuggingFace()
    trainer.fire("on_train_begin")
    trainer.control.should_save = True
    trainer.fire("on_epoch_end")
    trainer.control.should_save = False
    trainer.fire("on_step_begin")
    assert [name for _, name in marks] == ["train", "checkpoint", "train"]


def test_training_again_after_an_evaluation_that_failed(marks: Marks) -> None:
    trainer = HuggingFace()
    for event in ("on_train_begin", "on_prediction_step", "on_train_begin", "on_prediction_step"):
        trainer.fire(event)
    assert [name for _, name in marks] == ["train", "eval", "train", "eval"]


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


def test_lightning_checkpoints_last_until_the_next_batch(marks: Marks) -> None:
    """One after a validation, and one that the program saves when training is over, which no hook would end."""
    callback, trainer = LightningCallback(), SimpleNamespace(global_step=0)
    callback.on_train_start(trainer, None)
    callback.on_validation_start(trainer, None)
    callback.on_validation_end(trainer, None)
    callback.on_save_checkpoint(trainer, None, {})
    callback.on_train_batch_start(trainer, None, None, 1)
    callback.on_train_batch_start(trainer, None, None, 2)
    callback.on_train_end(trainer, None)
    callback.on_save_checkpoint(trainer, None, {})
    assert [name for _, name in marks] == ["train", "eval", "train", "checkpoint", "train", "idle"]


@pytest.mark.parametrize("stage", ["validation", "test", "predict"])
def test_lightning_runs_without_training_are_evaluations(marks: Marks, stage: str) -> None:
    callback, trainer = LightningCallback(), SimpleNamespace(global_step=0)
    getattr(callback, f"on_{stage}_start")(trainer, None)
    getattr(callback, f"on_{stage}_end")(trainer, None)
    assert [name for _, name in marks] == ["eval", "idle"]


def test_a_lightning_training_that_fails_is_over(marks: Marks) -> None:
    """The next one begins to count batches anew."""
    callback, trainer = LightningCallback(tokens_per_batch=100), SimpleNamespace(global_step=0)
    callback.on_train_start(trainer, None)
    callback.on_train_batch_end(trainer, None, None, None, 0)
    callback.on_exception(trainer, None, RuntimeError("CUDA out of memory"))
    callback.on_train_start(trainer, None)
    trainer.global_step = 1
    callback.on_train_batch_end(trainer, None, None, None, 0)
    assert marks == [("phase", "train"), ("phase", "idle"), ("phase", "train"), ("step", 1, 100)]


def test_only_the_first_rank_of_a_host_marks(marks: Marks) -> None:
    """Ranks that were forked or spawned have no LOCAL_RANK of their own, but the trainer knows."""
    hugging_face = HuggingFace(is_local_process_zero=False)
    hugging_face.fire("on_train_begin")
    hugging_face.fire("on_epoch_end")
    hugging_face.step("log", "evaluate", "save")
    hugging_face.fire("on_predict")
    hugging_face.fire("on_train_end")
    lightning, trainer = LightningCallback(), SimpleNamespace(global_step=0, local_rank=1)
    lightning.on_train_start(trainer, None)
    lightning.on_train_batch_start(trainer, None, None, 0)
    trainer.global_step = 1
    lightning.on_train_batch_end(trainer, None, None, None, 0)
    lightning.on_save_checkpoint(trainer, None, {})
    lightning.on_validation_start(trainer, None)
    lightning.on_validation_end(trainer, None)
    lightning.on_train_end(trainer, None)
    assert marks == []


@pytest.mark.parametrize("loaded", ["lightning.pytorch", "pytorch_lightning"])
def test_lightnings_package_is_the_one_that_the_program_has_loaded(
    monkeypatch: pytest.MonkeyPatch, loaded: str
) -> None:
    """With both installed, importing the other would take seconds and give a base that its Trainer does not know."""
    from ecoaudit.callbacks import lightning

    bases = {package: type("Callback", (), {}) for package in ("lightning.pytorch", "pytorch_lightning")}
    for package in bases:
        monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setitem(sys.modules, loaded, ModuleType(loaded))
    modules = {f"{package}.callbacks": SimpleNamespace(Callback=base) for package, base in bases.items()}
    monkeypatch.setattr(lightning.importlib, "import_module", modules.__getitem__)
    assert lightning._base() is bases[loaded]


def test_an_evaluation_after_training_is_not_followed_by_training(marks: Marks) -> None:
    hugging_face = HuggingFace()
    for event in ("on_train_begin", "on_train_end", "on_prediction_step", "on_evaluate"):
        hugging_face.fire(event)
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
