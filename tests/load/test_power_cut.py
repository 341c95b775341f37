"""A power cut: the disk holds what was flushed, and of what was written after that any part, torn or as noise."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from character import RunStore
from character.backends.backend import journal_entry
from character.backends.observe import Observation


def entry(number: int) -> dict[str, object]:
    from dspy import lm15

    response = lm15.Response(
        id=None,
        model="m",
        message=lm15.Message.assistant(f"Reply {number}. " + "word " * 200),
        finish_reason="stop",
        usage=lm15.Usage(input_tokens=1, output_tokens=1, total_tokens=2),
    )
    return journal_entry("default", response, Observation(model="m", finish_reason="stop"))


@pytest.mark.parametrize("seed", range(12))
def test_every_acknowledged_call_survives_whatever_came_of_the_writes_after_it(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    folder, acknowledged = tmp_path / "run", rng.randint(1, 40)
    log = folder / "run.sqlite-wal"
    with RunStore.create(folder) as store:
        for number in range(acknowledged):
            store.put(f"call-{number}", entry(number))
        database, flushed = (folder / "run.sqlite").read_bytes(), log.stat().st_size
        for number in range(acknowledged, acknowledged + 5):
            store.put(f"call-{number}", entry(number))
        written = log.read_bytes()
    kept = rng.randint(flushed, len(written))
    torn = bytearray(written[:kept] + rng.randbytes(rng.choice([0, 7, 4096, 20_000])))
    if kept > flushed and rng.random() < 0.5:
        torn[rng.randrange(flushed, kept)] ^= 0xFF

    after = tmp_path / "after"
    after.mkdir()
    (after / "run.sqlite").write_bytes(database)
    (after / "run.sqlite-wal").write_bytes(torn)
    with RunStore.create(after) as store:
        found = [number for number in range(acknowledged + 5) if store.get(f"call-{number}")]
        assert found[:acknowledged] == list(range(acknowledged))
        assert found == list(range(len(found))), "later calls are there whole and in order, or not at all"
        store.put("one more", entry(99))
    with RunStore(after) as store:
        assert store.get("one more") == entry(99)
