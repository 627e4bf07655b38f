"""Bytes to typed records: one reader per telemetry format, one parser per framework, chosen by content."""
