"""Training: a run made into data, recipe and checks for TRL, which trains while it is watched."""

from __future__ import annotations
