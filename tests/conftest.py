"""What most tests need: a fake provider on loopback, the rehearsal model, and a small constitution."""

from __future__ import annotations

import os
from collections.abc import Iterator

import dspy
import pytest
from fake_server import FakeServer

from character import Constitution, Trait, build_lm

os.environ.setdefault("COLUMNS", "120")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Return a running OpenAI-compatible server that answers as the rehearsal model unless told otherwise."""
    with FakeServer() as running:
        yield running


@pytest.fixture
def rehearsal() -> Iterator[dspy.LM]:
    """Return the rehearsal model, configured as DSPy's for the length of the test."""
    lm = build_lm()
    with dspy.context(lm=lm):
        yield lm


@pytest.fixture
def patience() -> Trait:
    """Return a trait with an opposite pole."""
    return Trait(
        name="patience",
        description="Takes the time an explanation needs and stays calm when asked again.",
        opposite="curt and hurried",
    )


@pytest.fixture
def constitution(patience: Trait) -> Constitution:
    """Return a constitution of two traits in English."""
    humour = Trait(name="humour", description="Lets the light side of things show where the moment allows.")
    return Constitution(name="pair", language="en", traits=(patience, humour))
