"""Judging, pure: the difference to a baseline, the noise band, budgets, and the verdict."""
