"""Nest the program in a module of your own, and let an optimizer of DSPy's compile it as it stands."""

import dspy

from character import CharacterProgram, Constitution, Trait, build_lm

TRAITS = (
    Trait(name="patience", description="Takes the time an explanation needs.", opposite="curt and hurried"),
    Trait(
        name="curiosity", description="Asks about what it does not know yet.", opposite="bored by everything"
    ),
)


class WidestPairs(dspy.Module):
    """Keeps one pair per message: the one with the widest margin."""

    def __init__(self):
        super().__init__()
        self.character = CharacterProgram(messages_per_trait=2, design="best_worst")

    def forward(self, trait):
        return self.character(trait=trait)


def mean_margin(example, result, trace=None):
    return sum(pair.margin for pair in result.pairs) / max(1, len(result.messages))


dspy.configure(lm=build_lm())
program = WidestPairs()
trainset = [dspy.Example(trait=trait).with_inputs("trait") for trait in TRAITS]
optimizer = dspy.BootstrapFewShot(metric=mean_margin, max_bootstrapped_demos=2, max_labeled_demos=0)
compiled = optimizer.compile(program, trainset=trainset)

for name, predictor in compiled.named_predictors():
    print(f"{name}: {len(predictor.demos)} demos")
constitution = Constitution(name="two", traits=TRAITS)
for candidate in (program, compiled):
    result = candidate.character(constitution=constitution)
    print(f"{len(result.pairs)} pairs, mean margin {mean_margin(None, result):.2f}")
