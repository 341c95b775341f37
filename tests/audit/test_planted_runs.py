"""A confound planted into a whole run, in both languages: the audit finds it and balancing takes it out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest

from character import (
    Candidates,
    CharacterProgram,
    Config,
    Constitution,
    Message,
    Responder,
    RunStore,
    Trait,
    load_constitution,
    run,
)
from character.audit.audit import audit
from character.audit.confounds import audit_confounds
from character.exports import ExportData, Split, StoredRollouts, export
from character.text import detect_language

FOLDER = Path(__file__).parents[2] / "examples" / "constitutions"
CONSTITUTIONS = {"zh": "patience-and-humour.zh.json", "en": "patience-and-humour.en.toml"}


def _longer(text: str) -> str:
    return f"{text} {text}"


def _opened(text: str) -> str:
    return ("好问题，" if detect_language(text) == "zh" else "Great question, ") + text


def _with_emoji(text: str) -> str:
    return text + " 😊"


PLANTS: dict[str, tuple[Callable[[str], str], set[str]]] = {
    "length": (_longer, {"characters"}),
    "opener": (_opened, {"opener:great question", "opener:好问题"}),
    "emoji": (_with_emoji, {"emoji"}),
}


class Planted(dspy.Module):
    """Answers as usual, but plants something into every natural reply, or into two thirds of them.

    What nearly every pair shows, and no reply by chance (an emoji), could only be balanced away with the
    pairs.
    """

    def __init__(self, plant: Callable[[str], str], *, always: bool) -> None:
        super().__init__()
        self.inner, self.plant, self.always = Responder(), plant, always

    async def aforward(
        self, message: Message, trait: Trait, constitution: Constitution | None = None, seed: int = 0
    ) -> Candidates:
        found = await self.inner.acall(message, trait, constitution=constitution, seed=seed)
        items = [
            item.model_copy(update={"text": self.plant(item.text)})
            if item.level == "natural" and (self.always or len(item.text) % 3)
            else item
            for item in found.items
        ]
        return Candidates(message_id=found.message_id, trait=found.trait, items=tuple(items))


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("planted", PLANTS)
def test_a_planted_confound_is_found_and_balanced_away(tmp_path: Path, language: str, planted: str) -> None:
    plant, names = PLANTS[planted]
    constitution = load_constitution(FOLDER / CONSTITUTIONS[language])
    constitution = constitution.only([constitution.traits[0].name])
    config = Config.model_validate({"messages": {"per_trait": 120}})
    program = CharacterProgram(responder=Planted(plant, always=planted == "length"), messages_per_trait=120)
    run(constitution, tmp_path / "run", config=config, program=program)

    found = audit(tmp_path / "run")
    assert found.confounds is not None
    assert names & set(found.confounds.flagged), "the audit names what was planted"

    with RunStore(tmp_path / "run") as store:
        data = ExportData(constitution=constitution, rollouts=StoredRollouts(store))
        everything = Split(train=1, validation=0, test=0)
        report = export(data, "trl", tmp_path / "out", split=everything, balance=0.1)
        kept = {
            (row["chosen"][-1]["content"], row["rejected"][-1]["content"])
            for row in map(json.loads, (tmp_path / "out" / "train.jsonl").open(encoding="utf-8"))
        }
        pairs = [p for r in store.rollouts() for p in r.pairs if (p.chosen, p.rejected) in kept]
    assert report.balance is not None
    assert not names & set(report.balance.unreached)
    assert 0.1 <= report.balance.share < 1
    after: Any = audit_confounds(pairs, constitution.traits)
    assert not names & set(after.flagged), "what is exported no longer shows it"
