"""Measurements of the program itself: `make bench`. Engines that are compared run in turn, in one run."""
