"""Readers of framework logs, one file a framework."""
