"""What an export can be given: a result, an open run, a folder as text, pairs alone, or pairs of something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dspy
import pytest

from character import (
    CharacterProgram,
    CharacterResult,
    Constitution,
    ExportReport,
    InputError,
    PreferencePair,
    RunStore,
    Split,
    Trait,
    build_lm,
    export,
    open_run,
    read_pairs,
    run,
    run_data,
    summarize,
)

ALL = Split(train=1, validation=0, test=0)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with the rehearsal model."""
    out = tmp_path_factory.mktemp("given") / "run"
    traits = (
        Trait(name="patience", description="Takes the time that an explanation needs."),
        Trait(name="humour", description="Lets the light side of things show."),
    )
    run(Constitution(name="pair of traits", traits=traits), out)
    return out


@pytest.fixture
def result(constitution: Constitution) -> CharacterResult:
    """Return what a small program gave."""
    with dspy.context(lm=build_lm()):
        made: CharacterResult = CharacterProgram(messages_per_trait=3)(constitution=constitution)
    return made


def written(out: Path) -> tuple[list[dict[str, Any]], dict[str, Any], str]:
    """Return the rows of an export, what it says of itself, and its card."""
    lines = (out / "train.jsonl").read_text(encoding="utf-8").splitlines()
    facts = json.loads((out / "export.json").read_text(encoding="utf-8"))
    return [json.loads(line) for line in lines], facts, (out / "README.md").read_text(encoding="utf-8")


def test_every_way_to_name_a_run_writes_the_same(kept: Path, tmp_path: Path) -> None:
    def bytes_of(given: Any, name: str) -> bytes:
        export(given, "trl", tmp_path / name, split=ALL)
        return b"".join(
            (tmp_path / name / file).read_bytes() for file in ("train.jsonl", "README.md", "export.json")
        )

    by_path = bytes_of(kept, "path")
    assert bytes_of(str(kept), "text") == by_path
    with RunStore(kept) as store:
        assert bytes_of(store, "store") == by_path
        assert bytes_of(run_data(store), "data") == by_path
    with open_run(kept) as opened:
        assert bytes_of(opened, "opened") == by_path


def test_a_result_is_exported_with_its_traits_models_drops_and_usage(
    result: CharacterResult, tmp_path: Path
) -> None:
    report = export(result, "trl", str(tmp_path / "out"), split=ALL)
    rows, facts, card = written(tmp_path / "out")
    assert rows == result.to_rows()
    assert report.rehearsal is True
    assert facts["constitution"]["name"] == "pair"
    assert facts["run"]["models"]["ranking"] == ["rehearsal/default"]
    assert facts["run"]["usage"]["calls"] == result.usage.calls
    assert sum(facts["drops"].get("pairs", {}).values()) == sum(
        drop.stage == "pairs" and not drop.recovered for drop in result.drops
    )
    assert "Takes the time an explanation needs" in card


def test_filtered_pairs_of_a_run_keep_the_facts_of_its_card(kept: Path, tmp_path: Path) -> None:
    with open_run(kept) as opened:
        pairs = list(opened.pairs)
        sure = [pair for pair in pairs if pair.margin > 0.3]
        assert 0 < len(sure) < len(pairs)
        report = export(sure, "trl", tmp_path / "some", of=opened, split=ALL)
    export(kept, "trl", tmp_path / "all", split=ALL)
    some, facts, card = written(tmp_path / "some")
    _, all_facts, _ = written(tmp_path / "all")
    assert [row["pair_id"] for row in some] == [pair.id for pair in sure]
    for name in ("constitution", "run", "drops", "rehearsal"):
        assert facts[name] == all_facts[name]
    assert report.skipped["not_given"] == len(pairs) - len(sure)
    assert "not_given" in card or str(len(pairs) - len(sure)) in card


def test_pairs_that_were_changed_are_written_as_they_are_given(
    result: CharacterResult, tmp_path: Path
) -> None:
    changed = [pair.model_copy(update={"chosen": pair.chosen + " So."}) for pair in result.pairs]
    export(changed, "trl", tmp_path / "out", of=result, split=ALL)
    assert all(row["chosen"][0]["content"].endswith(" So.") for row in written(tmp_path / "out")[0])


def test_what_reviewers_vetoed_stays_out_of_given_pairs(kept: Path, tmp_path: Path) -> None:
    with RunStore(kept) as store:
        data = run_data(store)
        pairs = [pair for rollout in data.rollouts for pair in rollout.pairs]
        vetoes = data.vetoes.model_copy(update={"pairs": frozenset({pairs[0].id})})
        vetoed = data.model_copy(update={"vetoes": vetoes})
        report = export(pairs[:2], "trl", tmp_path / "out", of=vetoed, split=ALL)
    assert [row["pair_id"] for row in written(tmp_path / "out")[0]] == [pairs[1].id]
    assert report.skipped["vetoed_pair"] == 1


def test_pairs_alone_say_their_traits_by_name_and_a_constitution_says_more(
    result: CharacterResult, constitution: Constitution, tmp_path: Path
) -> None:
    export(result.pairs, "trl", tmp_path / "alone", split=ALL)
    export((pair for pair in result.pairs), "openai", tmp_path / "of", of=constitution, split=ALL)
    assert written(tmp_path / "alone")[0] == result.to_rows()
    assert "Takes the time" not in written(tmp_path / "alone")[2]
    assert "Takes the time" in written(tmp_path / "of")[2]


def test_nobody_says_who_made_pairs_without_models(make_rollout: Any, tmp_path: Path) -> None:
    def exported(model: str, name: str) -> ExportReport:
        pairs: tuple[PreferencePair, ...] = make_rollout(model=model).pairs
        return export(pairs, "trl", tmp_path / name, split=ALL)

    assert exported("", "nobody").rehearsal is None
    assert exported("house/one", "house").rehearsal is False
    assert exported("rehearsal/default", "rehearsal").rehearsal is True


@pytest.mark.parametrize(
    ("given", "of", "said"),
    [
        ([], None, "no pairs"),
        (["text"], None, "str"),
        (7, None, "int"),
        ({"a": 1}, None, "dict"),
        ("pairs", 7, "of is a int"),
        ("result", "result", "no pairs were given"),
        ("strangers", "result", "not in what"),
        ("empty", None, "empty"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_nothing_is_written(
    given: Any, of: Any, said: str, result: CharacterResult, make_rollout: Any, tmp_path: Path
) -> None:
    named = {
        "pairs": result.pairs,
        "result": result,
        "strangers": make_rollout().pairs,
        "empty": CharacterResult(),
    }
    dataset = named.get(given, given) if isinstance(given, str) else given
    source = named.get(of, of) if isinstance(of, str) else of
    with pytest.raises(InputError, match=said):
        export(dataset, "trl", tmp_path / "out", of=source)
    assert not (tmp_path / "out").exists()


def test_what_run_returned_and_pairs_that_were_read_are_exported_as_they_are(
    kept: Path, tmp_path: Path
) -> None:
    export(summarize(kept), "trl", tmp_path / "summary", split=ALL)
    export(kept, "trl", tmp_path / "path", split=ALL)
    assert written(tmp_path / "summary")[1:] == written(tmp_path / "path")[1:]
    pairs = read_pairs(kept)
    sure = pairs.model_copy(update={"pairs": pairs.pairs[:3]})
    report = export(sure, "trl", tmp_path / "read", split=ALL)
    rows, _, card = written(tmp_path / "read")
    assert [row["pair_id"] for row in rows] == [pair.id for pair in pairs.pairs[:3]]
    assert report.rehearsal is True
    assert "Lets the light side of things show." in card
