"""Sourced tables: GPUs, grids, regions, PUE, prices, node power. `load()` returns them typed; files read once."""

from ecoaudit.reference.tables import Tables, load

__all__ = ["Tables", "load"]
