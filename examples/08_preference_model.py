"""A run's pairs teach a small preference model, which picks the best of four replies (extra `preference`)."""

import tempfile
from pathlib import Path

import dspy

from character import BestOfCharacter, Config, build_lm, load_constitution, preference_model, read_pairs, run
from character.preference.evaluation import cross_validate
from character.preference.explain import why

constitution = load_constitution(Path(__file__).parent / "constitutions" / "patience-and-humour.zh.json")
with tempfile.TemporaryDirectory() as folder:
    run(constitution, folder, config=Config.model_validate({"messages": {"per_trait": 18}}))
    known = read_pairs(folder)

# What is a model of this kind worth on messages it has not seen, and beside what must it be seen?
found = cross_validate(preference_model("light"), known.pairs, traits=known.traits)
accuracy = found.overall.accuracy
print(f"accuracy {accuracy.value:.2f} [{accuracy.low:.2f}, {accuracy.high:.2f}]")
for rival in found.rivals:
    print(f"  {rival.name}: {rival.accuracy.value:.2f}")

model = preference_model("light").fit(known.pairs)
pair = known.pairs[0]
for reason in why(model, pair.chosen, pair.rejected, pair.trait).reasons[:3]:
    print(f"{reason.weight:+.2f} in {reason.side}: {reason.text}")


class Clerk(dspy.Module):
    """A program of my own with a part that is sampled four times."""

    def __init__(self):
        super().__init__()
        self.answer = BestOfCharacter(dspy.Predict("message -> response"), model, n=4, trait=pair.trait)

    def forward(self, question):
        return self.answer(message=question)


dspy.configure(lm=build_lm())  # the rehearsal model; any dspy.LM will do
best = Clerk()("我看了三遍还是不明白为什么 0.999… 等于 1。")
print([f"{score:.2f}" for score in best.best_of.scores], "->", best.response)
