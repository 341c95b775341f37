"""Training: data, recipes and checks for TRL, its runs watched, and what a tuned model does otherwise than its base."""

from __future__ import annotations
