"""Swap the models: by TOML, by role in Python, and several that answer in turn. Here all are offline."""

from pathlib import Path

from character import CharacterProgram, Responder, build_lm, build_lms, load_config, load_constitution

here = Path(__file__).parent
constitution = load_constitution(here / "constitutions" / "careful-guide.en.toml")

# 1. One file says which model does what. `three-steps.toml` shows real servers, this one runs anywhere.
config = load_config(here / "configs" / "offline.toml")
for role in ("messages", "responses", "ranking"):
    print(f"{role}: {config.backend(role).kind} {config.backend(role).model_name}")
from_file = CharacterProgram.from_config(config, build_lms(config))(constitution=constitution)

# 2. The same in Python: a `dspy.LM` per role, ours or your own; a role without one uses `default`.
lms = {"default": build_lm(), "ranking": build_lm(kind="litellm", model="rehearsal/default")}
in_python = CharacterProgram(messages_per_trait=2, lms=lms)(constitution=constitution)
print("the same pairs either way:", from_file.pairs == in_python.pairs)

# 3. Candidates from several models in turn: who wrote what is on every record.
responder = Responder(levels=["natural"] * 4, lms=[build_lm(temperature=0.7), build_lm(temperature=1.0)])
mixed = CharacterProgram(responder=responder, messages_per_trait=1, lms=lms)(constitution=constitution)
print({item.model for candidates in mixed.candidates for item in candidates.items})
