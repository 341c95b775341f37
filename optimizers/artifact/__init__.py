"""Tuned rankers as files of plain values, checked when they are read: neither code nor addresses fit in."""
