"""Readers of node and switch power at the wall."""
