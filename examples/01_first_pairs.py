"""A constitution in, preference pairs out: the whole recipe in one call, on the embedded rehearsal model."""

from pathlib import Path

import dspy

from character import CharacterProgram, build_lm, load_constitution

constitution = load_constitution(Path(__file__).parent / "constitutions" / "patience-and-humour.zh.json")
dspy.configure(lm=build_lm())  # no arguments: the rehearsal model, for trying and testing only

program = CharacterProgram(messages_per_trait=3)
result = program(constitution=constitution)

print(f"{len(result.messages)} messages, {len(result.pairs)} pairs, {result.usage.calls} calls")
for pair in result.pairs[:2]:
    print(f"\n[{pair.trait}] {pair.prompt[-1].content}")
    print(f"  chosen   {pair.score_chosen:.2f} ({pair.chosen_level}): {pair.chosen}")
    print(f"  rejected {pair.score_rejected:.2f} ({pair.rejected_level}): {pair.rejected}")
for drop in result.drops:
    print(f"dropped in {drop.stage}: {drop.reason}, {drop.detail}")
