"""Sourced tables and their typed look-ups. Every row keeps its source, year, licence and basis."""
