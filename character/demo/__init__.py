"""Demonstrations: a toy world whose truth is known, in which the whole recipe runs in minutes on a laptop."""

from __future__ import annotations
