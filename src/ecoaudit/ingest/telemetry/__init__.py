"""Readers of GPU and host telemetry, one file a format."""
