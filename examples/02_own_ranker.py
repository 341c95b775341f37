"""Replace one step: a ranker of your own takes the place of ours, everything else stays as it is."""

import dspy

from character import CharacterProgram, build_lm


class PlainWords(dspy.Module):
    """Prefers short sentences: no model, no trait, just the candidates. Any ``dspy.Module`` will do."""

    def forward(self, candidates):
        lengths = [len(text) / (1 + text.count(".")) for text in candidates.texts]
        return dspy.Prediction(scores=[1 - length / (2 * max(lengths)) for length in lengths])


dspy.configure(lm=build_lm())
result = CharacterProgram(ranker=PlainWords())(trait="clarity: says difficult things in plain words")
print(len(result.pairs), "pairs; the first prefers:", result.pairs[0].chosen)
