"""Whether the best of four replies, by a preference model fitted on other messages, shows the trait as it should be more often.

    python benchmarks/best_of_character.py [--quick] [--json]

A run on the rehearsal backend gives the pairs that a light model is fitted on. Then a policy that shows the trait to differing
degrees (each reply is asked for at one of five levels, drawn by its seed) answers messages of another file, once with n = 1 and once
with n = 4. The model sees the replies' texts alone. Counted is how often the reply taken was asked to be natural or subtle.
Chances come from the policy: with five levels drawn evenly, n = 1 has two in five. Intervals resample messages; the gain is paired.

Exits 1 where the interval of the gain does not lie above 0 in English or in Chinese, or where a message tested was fitted on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import dspy

from character import (
    BestOfCharacter,
    Candidates,
    Config,
    Constitution,
    Message,
    Responder,
    Trait,
    build_lm,
    load_constitution,
    preference_model,
    run,
)
from character.preference.folds import message_key
from character.preference.sources import read_pairs
from character.records import LEVELS
from character.statistics.intervals import bootstrap_mean

CONSTITUTIONS = Path(__file__).parent.parent / "examples" / "constitutions"
TESTED = {
    "en": (
        "My {} will not {} and I have to decide by {}. What would you do?",
        ("landlord", "sister", "trainer", "colleague", "neighbour", "tutor", "uncle", "client"),
        ("answer my letters", "lend me the van", "change the date", "sign the form", "believe the figures"),
        ("Monday", "noon", "the end of the month", "the wedding", "the next exam"),
    ),
    "zh": (
        "我的{}不肯{}，{}之前我得拿主意。你会怎么办？",
        ("房东", "妹妹", "教练", "同事", "邻居", "导师", "叔叔", "客户"),
        ("回我的信", "借我面包车", "改日期", "在表上签字", "相信这些数字"),
        ("星期一", "中午", "月底", "婚礼", "下次考试"),
    ),
}


class Wavering(dspy.Module):
    """A policy that shows the trait to differing degrees: the level of each reply is drawn by its seed."""

    def forward(self, message: Message, trait: Trait, seed: int = 0) -> Candidates:
        """Return one reply."""
        level = Random(seed).choice(LEVELS)
        made: Candidates = Responder(levels=(level, level))(message, trait, seed=seed)
        return made.model_copy(update={"items": made.items[:1]})


def tested(language: str, trait: Trait, number: int) -> list[Message]:
    """Return messages of our own, none of which a run makes."""
    form, *banks = TESTED[language]
    rng = Random(f"{language} {trait.name}")
    every = [form.format(a, b, c) for a in banks[0] for b in banks[1] for c in banks[2]]
    return [Message.of(text, trait=trait.name, language=language) for text in rng.sample(every, number)]


def measure(language: str, *, number: int, per_trait: int) -> dict[str, Any]:
    """Return the rates with one and with four replies, and the paired gain."""
    constitution: Constitution = load_constitution(CONSTITUTIONS / f"patience-and-humour.{language}.toml")
    settings = {"messages": {"per_trait": per_trait}, "responses": {"candidates": len(LEVELS)}}
    with tempfile.TemporaryDirectory() as folder:
        run(constitution, folder, config=Config.model_validate(settings))
        pairs = read_pairs(folder).pairs
    model = preference_model("light").fit(pairs)
    lm = build_lm()
    intended: dict[int, list[float]] = {1: [], 4: []}
    groups: list[str] = []
    with dspy.context(lm=lm):
        for trait in constitution.traits:
            for message in tested(language, trait, number):
                groups.append(message.id)
                for n, found in intended.items():
                    taken = BestOfCharacter(Wavering(), model, n=n)(
                        message=message, trait=trait, seed=len(groups)
                    )
                    found.append(float(bool(taken.items) and taken.items[0].level in ("natural", "subtle")))
    asked = {message_key(pair) for pair in pairs}
    overlap = sum(
        message_key(pairs[0].model_copy(update={"prompt": message.turns})) in asked
        for trait in constitution.traits
        for message in tested(language, trait, number)
    )
    gains = [four - one for one, four in zip(intended[1], intended[4], strict=True)]
    return {
        "pairs fitted on": len(pairs),
        "messages tested": len(groups),
        "messages fitted on": overlap,
        "n = 1": bootstrap_mean(intended[1], groups=groups),
        "n = 4": bootstrap_mean(intended[4], groups=groups),
        "gain": bootstrap_mean(gains, groups=groups),
    }


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="end within 50 s on two cores")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    number, per_trait = (50, 60) if options.quick else (200, 120)
    found = {language: measure(language, number=number, per_trait=per_trait) for language in TESTED}
    if options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for language, one in found.items():
            print(f"{language}: {one['pairs fitted on']} pairs, {one['messages tested']} other messages")
            for name in ("n = 1", "n = 4", "gain"):
                print(f"  {name}: {one[name].estimate:+.3f} [{one[name].low:+.3f}, {one[name].high:+.3f}]")
    held = all(one["gain"].low > 0 and not one["messages fitted on"] for one in found.values())
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
