"""Fits of node power: from MLPerf Training power submissions, and from a user's own wall meter.

Everything here is pure but `mllog`, `extract` (readers of a checkout), `tables` (the bundled run table) and `cli`.
"""
