"""How records show themselves: short as text, safe as HTML, and as rows that trainers and frames take."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import dspy
import pytest

from character import (
    Candidate,
    Candidates,
    CharacterProgram,
    CharacterResult,
    Constitution,
    EffectReport,
    Message,
    MissingExtraError,
    Ranking,
    Rollout,
    RunSummary,
    Split,
    Trait,
    build_lm,
    build_pairs,
    export,
    read_pairs,
    run,
)
from character.views.short import brief, short_repr

HOSTILE = "</td></table><script>alert(1)</script><img src=x onerror='alert(2)'>\x00 ]]> &lt; $x$"
ALLOWED = {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td"}


class Tags(HTMLParser):
    """Collects the elements and attributes of a page, and what its text says."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(record: Any) -> Tags:
    """Return what a browser would make of a record's HTML."""
    tags = Tags()
    tags.feed(record._repr_html_())
    return tags


def rollout_of(text: str, times: int = 1, trait: str = "patience") -> Rollout:
    """Return a ranked rollout whose every text is this one, so many times over."""
    message = Message.of(f"Why? {text * times}", trait=trait)
    items = tuple(Candidate(text=f"{i} {text * times}", model="house/one") for i in range(4))
    candidates = Candidates(message_id=message.id, trait=trait, items=items)
    ranking = Ranking.from_scores(candidates, [0.9, 0.5, 0.3, 0.1], reason=text * times)
    pairs, drops = build_pairs(message, candidates, ranking)
    return Rollout(message=message, candidates=candidates, ranking=ranking, pairs=pairs, drops=drops)


@pytest.fixture
def large() -> CharacterResult:
    """Return a result whose texts are long and whose rollouts are many."""
    return CharacterResult(rollouts=tuple(rollout_of(f"{i} and so on, ", 400) for i in range(60)))


def test_a_record_of_any_size_shows_itself_in_fewer_than_2000_characters(large: CharacterResult) -> None:
    traits = tuple(Trait(name=f"trait {i}", description="words " * 200) for i in range(80))
    whole = Constitution(name="many " * 100, traits=traits)
    for record in (large, large.rollouts[0], large.pairs[0], large.rankings[0], large.candidates[0], whole):
        assert len(repr(record)) < 2000
        assert str(record) == repr(record)


def test_what_is_small_is_shown_whole_and_without_what_is_empty() -> None:
    assert repr(Split()) == "Split(train=0.9, validation=0.05, test=0.05)"
    assert repr(Trait.of("patience: takes its time")) == (
        "Trait(name='patience', description='takes its time', target='natural')"
    )


def test_a_result_says_how_many_of_what_it_holds(large: CharacterResult) -> None:
    assert repr(large) == "CharacterResult(messages=60, candidates=240, pairs=180, drops=0, calls=0)"


@pytest.mark.parametrize(
    "value", [{"a": {"b": {"c": {"d": [1]}}}}, "x" * 5000, list(range(9999)), b"y" * 5000]
)
def test_plain_values_are_cut_as_well(value: Any) -> None:
    assert len(short_repr(value)) < 1200


def test_collections_made_brief_are_equal_to_what_they_were_and_print_short() -> None:
    value = {"rows": [{"text": "x" * 3000}] * 50}
    assert brief(value) == value
    assert len(str(brief(value))) < 400


def test_no_text_of_a_model_becomes_markup(constitution: Constitution) -> None:
    trait = Trait(name=HOSTILE, description=HOSTILE, statement=HOSTILE, opposite=HOSTILE)
    result = CharacterResult(rollouts=(rollout_of(HOSTILE, trait=HOSTILE),))
    hostile = Constitution(name=HOSTILE, traits=(trait, *constitution.traits), assistant_name=HOSTILE)
    for record in (result, result.pairs[0], result.rollouts[0], hostile, trait, result.candidates[0]):
        tags = shown(record)
        assert tags.tags <= ALLOWED
        assert tags.attributes <= {"style", "class", "dir"}
        assert not re.search("[\x00]", record._repr_html_())
    assert "<script>alert(1)</script>" in shown(result).text


def test_a_large_result_stays_small_as_html(large: CharacterResult) -> None:
    html = large._repr_html_()
    assert len(html) < 100_000
    assert "5 of 180 pairs" in html


def test_a_pair_is_shown_side_by_side(large: CharacterResult) -> None:
    text = shown(large.pairs[0]).text
    assert text.index("chosen") < text.index("rejected") < text.index("0 0 and so on")


@pytest.fixture
def summary(constitution: Constitution, tmp_path: Path) -> RunSummary:
    """Return the figures of a run with the rehearsal model."""
    done = run(constitution, tmp_path / "run")
    assert isinstance(done, RunSummary)
    return done


def test_a_run_and_its_pairs_show_themselves_and_give_rows(summary: RunSummary) -> None:
    assert str(summary.pairs) in shown(summary).text
    assert len(summary.to_rows()) == summary.pairs
    pairs = read_pairs(summary.folder)
    assert pairs.to_rows() == summary.to_rows()
    assert f"of {summary.pairs} pairs" in shown(pairs).text


def test_a_report_of_effects_shows_its_shifts() -> None:
    contrast: Any = {"question": "alone", "condition": "trait: wit", "reference": "plain", "group": "wit"}
    shift: Any = {
        "contrast": contrast,
        "trait": HOSTILE,
        "shift": {"estimate": 1.25, "low": 1.0, "high": 1.5},
    }
    shift |= {"p": 0.001, "adjusted_p": 0.002, "num_messages": 8, "is_intended": True}
    empty = ("kinds", "measures", "overdone", "robustness", "coherence", "moved")
    report = EffectReport.model_validate(
        dict.fromkeys(empty, ())
        | {"constitution": "wits", "fingerprint": "0", "design": "traits", "traits": ("wit",)}
        | {"language": "en", "seed": 0, "version": "0", "models": {}, "num_messages": {"wit": 8}}
        | {"shifts": [shift], "dropped": {}, "usage": {}, "rehearsal": True}
    )
    assert "+1.25" in shown(report).text
    assert "+1.00 … +1.50" in shown(report).text
    assert shown(report).tags <= ALLOWED


def test_rows_are_those_that_an_export_writes(large: CharacterResult, tmp_path: Path) -> None:
    import datasets

    export(large, "trl", tmp_path / "out", split=Split(train=1, validation=0, test=0))
    written = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    made = large.to_dataset()
    assert made.column_names == written.column_names
    assert made.to_list() == written.to_list() == large.to_rows()
    assert large.pairs[0].to_row() == large.to_rows()[0]


def test_frames_and_data_sets_have_their_columns_without_a_row() -> None:
    empty = CharacterResult()
    assert empty.to_rows() == []
    assert list(empty.to_pandas().columns) == empty.to_dataset().column_names
    assert "chosen" in empty.to_dataset().column_names


@pytest.mark.parametrize(("method", "package"), [("to_pandas", "pandas"), ("to_dataset", "datasets")])
def test_a_package_that_is_missing_is_named(
    method: str, package: str, monkeypatch: pytest.MonkeyPatch, large: CharacterResult
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as Python marks what cannot be imported
    with pytest.raises(MissingExtraError, match=f"(?s){package}.*frames"):
        getattr(large, method)()


def test_a_program_tells_its_result_what_it_was_made_for(patience: Trait) -> None:
    with dspy.context(lm=build_lm()):
        result = CharacterProgram(messages_per_trait=1)(trait=patience)
    assert result.constitution is not None
    assert result.constitution.traits == (patience,)
    assert result == CharacterResult.model_validate_json(result.model_dump_json())
