"""Tune a policy on pairs that it wrote itself, and measure what moved. Minutes on a laptop.

    python examples/closed_loop/by_hand.py [FOLDER]        (extra `train`)

The steps of `python examples/closed_loop` by hand. For a policy of your own, put its folder in place of
POLICY and your ranker's backend in place of the rehearsal model; its truth is then whoever judges the
replies.
"""

import sys
from pathlib import Path

from character import CharacterProgram, MessageFile, Ranker, run
from character.training.card import write_card
from character.training.policy import PolicyResponder
from character.training.sampling import Sampler
from character.training.train import train

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from closed_loop.loop import closed_loop
from closed_loop.measured import card_text, lines_of, measure_effect
from closed_loop.plan import QUICK, LoopConfig, Places
from closed_loop.world import CONSTITUTION, truth_measures

out = Path(sys.argv[1] if len(sys.argv) > 1 else "closed-loop")
closed_loop(out / "demo", LoopConfig(size=QUICK))  # makes a policy to begin with, and a page of its own
places = Places(out / "demo")
POLICY = places.policy

responder = PolicyResponder(POLICY, 4, max_new_tokens=96, batch_size=256)
messages = MessageFile(places.messages, CONSTITUTION)
responder.prepare(messages.messages("patience"))
program = CharacterProgram(
    responder=responder, ranker=Ranker(), design="all", min_margin=0.15, max_per_message=2
)
summary = run(CONSTITUTION, out / "run", messages=messages, program=program)
print(f"{summary.pairs} pairs of the policy's own replies")

whole = dict.fromkeys(
    ("use_peft", "lora_r", "lora_alpha", "lora_target_modules")
)  # so small a model needs no LoRA
values = {**whole, "learning_rate": 2e-4, "num_train_epochs": 2, "max_length": 128}
tuned = train(
    out / "run", out / "dpo", "dpo", model=str(POLICY), values=values, balance=0.1, overwrite=True, go=True
)
for check in tuned.report.checks:
    print(f"{check.weight}: {check.text}")

held_out = list(MessageFile(places.held_out, CONSTITUTION).messages("patience"))
prompts = [[turn.model_dump() for turn in message.turns] for message in held_out]
before, after = (
    [[reply.text for reply in drawn] for drawn in Sampler(folder, max_new_tokens=96).draw(prompts, 8)]
    for folder in (POLICY, out / "dpo" / "model")
)
effect = measure_effect(held_out, before, after, truth_measures(), base_name="policy", tuned_name="dpo")
print("\n".join(lines_of(effect)))
print("card:", write_card(tuned.report, card_text(effect)))
