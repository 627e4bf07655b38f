"""Energy, carbon and cost audit of a training run."""

__version__ = "0.1.0"
