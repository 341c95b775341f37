"""Tuned rankers as files: one JSON file of plain values, checked when it is read, that can hold neither code nor addresses."""
