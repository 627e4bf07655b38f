"""The phase that a callback's trainer is in, marked when it changes."""

from ecoaudit.record import api


class TrainerPhase:
    """Marks each change of phase once; outside training a trainer that does nothing is `idle`."""

    def __init__(self) -> None:
        self.training = False
        self._name: str | None = None

    def begin_training(self) -> None:
        """Mark `train`, also where an earlier training was broken off by an error."""
        self.training, self._name = True, None
        self.enter("train")

    def end_training(self) -> None:
        """Mark `idle`: what follows training is not training."""
        self.training = False
        self.enter("idle")

    def enter(self, name: str) -> None:
        """Mark the phase unless it is the one that was marked last."""
        if name != self._name:
            self._name = name
            api.phase(name)

    def leave(self) -> None:
        """Go back to training where there is one."""
        self.enter("train" if self.training else "idle")
