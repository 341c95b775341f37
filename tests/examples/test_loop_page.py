"""The page of a loop says in both languages what was shown and not, and what a toy policy cannot prove."""

from __future__ import annotations

import pytest
from closed_loop.measured import PLAIN_MEASURES, measure_effect
from closed_loop.page import WORDS, loop_page
from closed_loop.plan import LoopConfig
from closed_loop.results import Bar, Judged, LoopResults
from closed_loop.world import all_topics, message_of, truth_measures

from character.report import render
from character.statistics.intervals import Interval


def results(*, met: bool) -> LoopResults:
    messages = [message_of(topic) for topic in all_topics(6, 0)]
    base = [["Take your time with this part before you go on."]] * len(messages)
    effect = measure_effect(
        messages, base, base, (*truth_measures(), *PLAIN_MEASURES), tuned_name="dpo-judge"
    )
    judged = Judged(
        judge="judge", agreement=Interval(0.9, 0.8, 0.95), num_pairs=10, truly_better=0.8, num_trained=8
    )
    bias = Bar(code="bias", met=met, shift=0.3, low=0.2, high=0.4, bound=0.1, warned=met, accuracy=1.0)
    return LoopResults(
        config=LoopConfig(),
        num_messages=96,
        num_held_out=24,
        num_parameters=543360,
        judged={"judge": judged, "biased": judged.model_copy(update={"judge": "biased"})},
        effects={"dpo-judge": effect, "dpo-biased": effect},
        samples=({"message": "<b>How?</b>", "base": "Slowly.", "dpo-judge": "Slower."},),
        bars=(bias,),
    )


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("met", [True, False])
def test_a_page_says_whether_a_bar_is_met_and_what_is_not_proven(language, met):
    words = WORDS[language]
    html = render(loop_page(results(met=met), [("world", 1.0, 2.0, 3.0)], language=language))
    assert words["met" if met else "missed"].split("{")[0] in html
    assert words["proves_not"] in html
    assert "<b>How?</b>" not in html


def test_both_languages_have_the_same_words_with_the_same_places_to_fill():
    assert set(WORDS["en"]) == set(WORDS["zh"])
    for name, text in WORDS["en"].items():
        places = {part.split("}")[0].split(":")[0] for part in text.split("{")[1:]}
        assert {part.split("}")[0].split(":")[0] for part in WORDS["zh"][name].split("{")[1:]} == places, name


def test_a_loop_with_one_bar_missed_is_not_met():
    assert results(met=True).is_met
    assert not results(met=False).is_met
