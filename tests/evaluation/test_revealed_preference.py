"""What a model shows where it may choose: a planted leaning is found, none where there is none, blind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation.planted import PAIR, choosing
from fake_server import FakeServer, Reply, as_rehearsal, backend_at

from character import Config, Constitution, Trait, load_constitution
from character.backends.rehearsal.responses import LEANINGS
from character.errors import InputError
from character.evaluation.choices.chooser import TraitChooser, offers_for, other_traits
from character.evaluation.choices.ratings import revealed
from character.evaluation.conditions import BASE, PLAIN, TUNED
from character.evaluation.effect import effect
from character.evaluation.page.cards import effect_card
from character.evaluation.page.findings import findings
from character.evaluation.page.page import effect_page
from character.evaluation.ready_messages import everyday_messages
from character.evaluation.records import Choice, EffectReport, Rating
from character.ranking.choice_models import bradley_terry, bradley_terry_means
from character.report import render

EXAMPLES = Path(__file__).parents[2] / "examples" / "constitutions"
NONE: dict[str, float] = {}


def chosen(
    folder: Path, base: Mapping[str, float], tuned: Mapping[str, float], **settings: Any
) -> EffectReport:
    with (
        FakeServer(choosing(base), name="alpha-model") as one,
        FakeServer(choosing(tuned), name="omega-model") as two,
    ):
        models = {BASE: backend_at(one), TUNED: backend_at(two)}
        settings = {"messages_per_trait": 3, "choices": 130, **settings}
        return effect(PAIR, folder, models=models, **settings)


def ratings(report: EffectReport) -> dict[str, Rating]:
    assert report.revealed is not None
    return {rating.trait: rating for rating in report.revealed.ratings}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_rehearsal_models_own_leanings_are_found_with_their_sign(language: str, tmp_path: Path) -> None:
    constitution = load_constitution(EXAMPLES / f"patience-and-humour.{language}.toml")
    asked = {"prompting": "fields"}
    config = Config.model_validate({"messages": asked, "responses": asked})
    report = effect(constitution, tmp_path / "effect", config, messages_per_trait=3, choices=600)
    found = ratings(report)
    for trait, concept in zip(report.traits, ("patience", "humour"), strict=True):
        assert found[trait].difference is None
        assert abs(found[trait].ratings[PLAIN].estimate - LEANINGS[concept]) < 0.5
        assert found[trait].adjusted_p is not None
        assert found[trait].adjusted_p < 0.05
    assert report.revealed is not None
    assert report.revealed.num_choices == {PLAIN: 600}
    assert report.revealed.neither[PLAIN].estimate < 0.05
    assert 0.4 < report.revealed.first_shown[PLAIN].estimate < 0.6


def test_a_leaning_that_only_the_tuned_model_has_is_found_and_no_other(tmp_path: Path) -> None:
    report = chosen(tmp_path / "effect", NONE, {"patience": 2.0})
    found = ratings(report)
    patience, humour = found["patience"], found["humour"]
    assert patience.adjusted_p is not None
    assert humour.adjusted_p is not None
    assert patience.adjusted_p < 0.01
    assert humour.adjusted_p > 0.05
    assert patience.difference is not None
    assert patience.difference.low is not None
    assert patience.difference.low > 0.5
    assert patience.ratings[BASE].estimate < 1 < patience.ratings[TUNED].estimate
    assert all(found[trait.name].is_other and found[trait.name].p is None for trait in other_traits(PAIR))
    told = {note.text.split(":")[0]: note.weight for note in findings(report, "en")}
    assert (
        told["Where it may choose, the tuned model shows patience rather than the base model does"] == "fine"
    )
    card = effect_card(report, PAIR.traits[0], "zh")
    assert "## 可以选择时，它表现什么" in card
    assert "调优后减基础" in card
    html = render(effect_page(report, "en"))
    assert "What it shows when it may choose" in html
    assert "◦ precision" in html
    lines = (tmp_path / "effect" / "choices.jsonl").read_text(encoding="utf-8").splitlines()
    assert len([Choice.model_validate_json(line) for line in lines]) == 260


def simulated(condition: str, leanings: Mapping[str, float], number: int, seed: int) -> list[Choice]:
    """Return choices made by these leanings and by the place in the list, of the offers with this seed."""
    rng = np.random.default_rng([seed, len(condition)])
    messages = [(message, "") for message in everyday_messages("en", 16)]
    choices = []
    for offer in offers_for(PAIR, messages, number, seed):
        odds = 0.8 + leanings.get(offer.first.name, 0.0) - leanings.get(offer.second.name, 0.0)
        first = rng.random() < 1 / (1 + np.exp(-odds))
        choices.append(
            Choice(
                message_id=offer.message.id,
                condition=condition,
                first=offer.first.name,
                second=offer.second.name,
                text="…",
                shown=(offer.first if first else offer.second).name,
            )
        )
    return choices


def rated(choices: list[Choice], seed: int) -> dict[str, Rating]:
    found = revealed(choices, PAIR, seed=seed)
    assert found is not None
    return {rating.trait: rating for rating in found.ratings}


def test_none_is_found_where_none_is_planted_at_the_stated_rate() -> None:
    false = {BASE: 0, TUNED: 0}
    for seed in range(60):
        alone = simulated(BASE, NONE, 65, seed)
        for name, choices in ((BASE, alone), (TUNED, [*alone, *simulated(TUNED, NONE, 65, seed)])):
            false[name] += any((each.adjusted_p or 1.0) < 0.05 for each in rated(choices, seed).values())
    assert max(false.values()) <= 8, (
        f"{false} of 60: 3 are expected, more than 8 come in 1 of 300 such trials"
    )


def test_intervals_hold_the_planted_rating_and_difference() -> None:
    held = {"rating": 0, "difference": 0}
    for seed in range(60):
        choices = [
            *simulated(BASE, {"patience": 0.5}, 130, seed),
            *simulated(TUNED, {"patience": 1.5}, 130, seed),
        ]
        patience = rated(choices, seed)["patience"]
        for name, figure, true in (
            ("rating", patience.ratings[TUNED], 1.5),
            ("difference", patience.difference, 1.0),
        ):
            assert figure is not None
            assert figure.low is not None
            assert figure.high is not None
            held[name] += figure.low < true < figure.high
    assert min(held.values()) >= 51, f"{held} of 60 intervals that are said to hold in 95 %"


def test_many_tables_are_rated_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    tables = rng.integers(0, 6, (20, 5, 5)).astype(float)
    tables[:, np.arange(5), np.arange(5)] = 0
    assert np.allclose(
        bradley_terry_means(tables), [bradley_terry(table).means for table in tables], atol=1e-6
    )


def test_pairs_orders_and_messages_are_offered_evenly() -> None:
    three = Constitution(name="three", traits=(*PAIR.traits, Trait(name="Calm", description="Stays even.")))
    messages = [(message, "") for message in everyday_messages("en", 8)]
    messages += [
        (message.model_copy(update={"id": f"p{i}"}), "patience") for i, (message, _) in enumerate(messages)
    ]
    assert [trait.name for trait in other_traits(three)] == [
        "precision",
        "poetry",
        "directness",
        "curiosity",
        "caution",
    ]
    number = 3 + 3 * 5
    offers = offers_for(three, messages, 2 * number, 1)
    orders = Counter((offer.first.name, offer.second.name) for offer in offers)
    assert set(orders.values()) == {1}
    assert len(orders) == 2 * number, "each pair in both orders"
    assert all(
        "patience" not in (o.first.name, o.second.name) for o in offers if o.message.id.startswith("p")
    )
    asked = Counter((o.message.id, frozenset((o.first.name, o.second.name))) for o in offers)
    assert set(asked.values()) == {1}
    assert offers == offers_for(three, messages, 2 * number, 1)
    assert offers != offers_for(three, messages, 2 * number, 2)


def test_the_judge_of_a_choice_sees_no_condition_and_an_order_of_its_own(tmp_path: Path) -> None:
    with FakeServer(as_rehearsal, name="the-judge") as judge:
        backend = backend_at(judge).model_dump(exclude_unset=True)
        config = Config.model_validate({"backends": {"judge": backend}})
        chosen(tmp_path / "effect", NONE, NONE, config=config)
    asked = [r["messages"] for r in judge.requests if "`shown`" in r["messages"][0]["content"]]
    assert len(asked) == 260
    assert len({messages[0]["content"] for messages in asked}) == 1
    for word in ("alpha", "omega", "base", "tuned"):
        assert not any(
            re.search(rf"\b{word}\b", said["content"]) for messages in asked for said in messages
        ), word
    listed = [json.loads(m[-1]["content"].split("[[ ## traits ## ]]\n")[1].split("\n")[0]) for m in asked]
    rows = [
        Choice.model_validate_json(line)
        for line in (tmp_path / "effect" / "choices.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    by_response = {row.text: row for row in rows}
    texts = [m[-1]["content"].split("[[ ## response ## ]]\n")[1].split("\n\nRespond with")[0] for m in asked]
    kept = [by_response[t].first == traits[0]["name"] for t, traits in zip(texts, listed, strict=True)]
    assert 0.35 < sum(kept) / len(kept) < 0.65, "the judge's order has nothing to do with the model's"
    assert all(set(trait) == {"name", "description"} for traits in listed for trait in traits)


def test_replies_and_judgements_that_are_lost_are_counted_and_rated_by_nobody(tmp_path: Path) -> None:
    def unreadable(request: dict[str, Any]) -> str | Reply:
        return "…" if "`shown`" in request["messages"][0]["content"] else as_rehearsal(request)

    with FakeServer(unreadable, name="the-judge") as judge:
        backend = backend_at(judge).model_dump(exclude_unset=True)
        config = Config.model_validate({"backends": {"judge": backend}})
        report = chosen(tmp_path / "effect", NONE, NONE, config=config, choices=10)
    assert report.revealed is None
    assert report.dropped["unreadable"] == 40, "two attempts for each of twenty choices"


def test_choices_that_were_stopped_go_on_and_repeat_no_call(tmp_path: Path) -> None:
    def run(folder: Path, **settings: Any) -> tuple[EffectReport, list[str]]:
        with (
            FakeServer(choosing(NONE), name="alpha-model") as one,
            FakeServer(choosing(NONE), name="two") as two,
        ):
            models = {BASE: backend_at(one), TUNED: backend_at(two)}

            def once(**more: Any) -> EffectReport:
                return effect(PAIR, folder, models=models, messages_per_trait=3, choices=20, **more)

            if settings:
                with pytest.raises(KeyboardInterrupt):
                    once(**settings)
            report = once()
            return report, [json.dumps(r, sort_keys=True) for r in (*one.requests, *two.requests)]

    def stop(progress: Any) -> None:
        assert progress.total == 22 + 40
        if progress.done == 30:
            raise KeyboardInterrupt

    whole, _ = run(tmp_path / "whole")
    again, sent = run(tmp_path / "half", on_progress=stop)
    assert again.revealed == whole.revealed
    assert len(sent) - len(set(sent)) <= 16, "at most those that were in flight are asked again"


def test_choices_need_neutral_messages_and_the_module_stands_alone() -> None:
    with pytest.raises(InputError, match="without neutral messages"):
        effect(PAIR, "nowhere", choices=5, neutral_messages=0)
    import dspy

    from character import build_lm

    with dspy.context(lm=build_lm()):
        choice = TraitChooser()("How do I learn to read music?", PAIR.traits[0], "poetry: speaks in images")
    assert choice.shown in ("patience", "poetry", "")
    assert choice.usage.calls == 2


def test_the_command_asks_for_choices_where_told_to(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "character", "effect", str(EXAMPLES / "patience-and-humour.zh.toml")),
            *("--out", str(tmp_path / "effect"), "--messages-per-trait", "2", "--choices", "40", "--json"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)["revealed"]
    assert [each["trait"] for each in found["ratings"]][:2] == ["耐心", "幽默感"]
    assert found["num_choices"] == {"plain": 40}
    assert "可以选择时，它表现什么" in (tmp_path / "effect" / "effect.html").read_text(encoding="utf-8")
