"""Pairs rebuilt from what is stored, and balanced, on the way out; the rollouts may come from the disk."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import datasets
import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from character import Config, Constitution, RunStore, Trait, run
from character.audit.confounds import audit_confounds
from character.cli.export_command import command
from character.config import PairsConfig
from character.errors import InputError, UnknownNameError
from character.exports import ExportData, Split, StoredRollouts, export
from character.pairs.designs import build_pairs

ALL_IN_TRAIN = Split(train=1, validation=0, test=0)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (folder / "train.jsonl").read_text(encoding="utf-8").split("\n") if line
    ]


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    """A run of the rehearsal model, six candidates to a message."""
    folder = tmp_path_factory.mktemp("stored") / "run"
    traits = (
        Trait(
            name="patience", description="Takes the time an explanation needs.", opposite="curt and hurried"
        ),
    )
    config = Config.model_validate({"messages": {"per_trait": 6}, "responses": {"candidates": 6}})
    run(Constitution(name="calm", traits=traits), folder, config=config)
    return folder


@pytest.fixture(scope="module")
def wordy(make_rollout, make_data) -> ExportData:
    """Two hundred messages whose best answer is mostly, but not always, the longer one."""
    rng = Random(0)

    def answer(mean: float) -> str:
        return " ".join(
            rng.choice(("we", "look", "plan", "rest", "road")) for _ in range(round(rng.gauss(mean, 12)) + 20)
        )

    rollouts = [
        make_rollout(f"Question {i}?", language="en", answers=(answer(36), answer(24), answer(24)))
        for i in range(200)
    ]
    return make_data(*rollouts)


def test_rebuilt_pairs_are_those_the_run_would_have_made(make_rollout, make_data, tmp_path) -> None:
    rollouts = [make_rollout(f"第{i}个问题", scores=(0.9, 0.3, 0.25)) for i in range(5)]
    config = PairsConfig(design="all", min_margin=0.02, max_per_message=2)
    report = export(make_data(*rollouts), "trl", tmp_path, split=ALL_IN_TRAIN, pairs=config)
    expected = [
        pair.id
        for each in rollouts
        for pair in build_pairs(
            each.message, each.candidates, each.ranking, design="all", min_margin=0.02, max_per_message=2
        )[0]
    ]
    assert [row["pair_id"] for row in rows_of(tmp_path)] == expected
    assert {row["design"] for row in rows_of(tmp_path)} == {"all"}
    assert report.drops == {"pairs": {"over_cap": 5}}
    assert (
        "rebuilt from the stored rankings, design all, least margin 0.02, least probability 0.7, at most 2 per message"
        in (tmp_path / "README.md").read_text(encoding="utf-8")
    )
    assert json.loads((tmp_path / "export.json").read_text(encoding="utf-8"))["pairs"]["design"] == "all"


def test_the_runs_own_drops_of_pairs_give_way_to_those_of_the_rebuild(
    make_rollout, make_data, tmp_path
) -> None:
    facts = {"rehearsal": False, "drops": {"pairs": {"tie": 9}, "responses": {"empty": 2}}}
    data = make_data(make_rollout(), manifest=facts)
    assert export(data, "trl", tmp_path / "as_stored").drops == facts["drops"]
    strict = export(data, "trl", tmp_path / "rebuilt", pairs=PairsConfig(min_margin=0.7))
    assert strict.drops == {"responses": {"empty": 2}, "pairs": {"low_margin": 1}}


def test_a_design_whose_levels_nothing_has_says_why_there_is_nothing(
    make_rollout, make_data, tmp_path
) -> None:
    with pytest.raises(InputError, match="1 no_pairs, 1 level_missing"):
        export(make_data(make_rollout()), "trl", tmp_path, pairs=PairsConfig(design="overdone"))


def test_rollouts_from_the_disk_give_the_same_files_as_those_in_memory(stored, tmp_path) -> None:
    constitution = Constitution(name="calm", traits=(Trait(name="patience", description="d"),))
    with RunStore(stored) as store:
        for name, rollouts in (("disk", StoredRollouts(store)), ("memory", tuple(store.rollouts()))):
            for format in ("trl", "recipe", "trl-kto"):
                export(
                    ExportData(constitution=constitution, rollouts=rollouts),
                    format,
                    tmp_path / name / format,
                    balance=0.3,
                )
    for path in (tmp_path / "disk").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "memory" / path.relative_to(tmp_path / "disk")).read_bytes()


def test_rollouts_that_can_be_read_only_once_are_refused(make_rollout, make_data) -> None:
    constitution = make_data(make_rollout()).constitution
    with pytest.raises(ValidationError, match="StoredRollouts"):
        ExportData(constitution=constitution, rollouts=(each for each in [make_rollout()]))
    with pytest.raises(ValidationError, match="collection of Rollout"):
        ExportData(constitution=constitution, rollouts=3)  # type: ignore[arg-type]


def test_balanced_pairs_have_no_confound_left_and_the_card_says_the_cost(wordy, tmp_path) -> None:
    report = export(wordy, "trl", tmp_path, split=ALL_IN_TRAIN, balance=0.1)
    ids = {row["pair_id"] for row in rows_of(tmp_path)}
    every = [pair for rollout in wordy.rollouts for pair in rollout.pairs]
    assert "characters" in audit_confounds(every).flagged
    assert audit_confounds([pair for pair in every if pair.id in ids]).flagged == ()
    assert report.balance.num_kept == len(ids) == 400 - report.skipped["confounded"]
    assert (report.balance.kept, report.balance.weights) == ((), {})
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert f"{len(ids)} of 400 pairs stay" in card
    assert "| characters | +" in card
    assert "数据经过平衡处理" in card


@pytest.mark.parametrize("format", ["trl", "parquet"])
def test_weights_become_a_column_that_loads(wordy, tmp_path, format) -> None:
    report = export(wordy, format, tmp_path / "out", balance=0.1, balance_method="weights")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    weights = [weight for split in loaded.values() for weight in split["weight"]]
    assert len(weights) == 400
    assert sum(weights) / 400 == pytest.approx(1)
    assert "confounded" not in report.skipped
    assert len(set(weights)) > 100


def test_without_balancing_there_is_no_weight(wordy, tmp_path) -> None:
    export(wordy, "trl", tmp_path, split=ALL_IN_TRAIN)
    assert "weight" not in rows_of(tmp_path)[0]


def test_a_confound_that_stays_is_a_warning_and_in_the_card(make_rollout, make_data, tmp_path) -> None:
    rollouts = [make_rollout(f"问题{i}", answers=(f"耐心地说{'很' * 40}多", "短", "更短")) for i in range(30)]
    report = export(make_data(*rollouts), "trl", tmp_path, split=ALL_IN_TRAIN, balance=0.1)
    assert "characters" in report.balance.unreached
    assert any("characters still sets the sides apart" in warning for warning in report.warnings)
    assert "characters still sets the sides apart" in (tmp_path / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("options", [{"pairs": PairsConfig()}, {"balance": 0.1}])
def test_formats_without_pairs_refuse_options_for_pairs(sixty, tmp_path, options) -> None:
    for format in ("trl-prompt", "trl-reward"):
        with pytest.raises(InputError, match="not made of pairs"):
            export(sixty, format, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_format_without_a_place_for_weights_names_those_that_have_one(sixty, tmp_path) -> None:
    with pytest.raises(InputError, match=r"no place for a weight[\s\S]*trl, openrlhf, parquet"):
        export(sixty, "openai", tmp_path, balance=0.1, balance_method="weights")


def test_unknown_methods_and_features_leave_nothing_behind(sixty, tmp_path) -> None:
    with pytest.raises(UnknownNameError, match="weights"):
        export(sixty, "trl", tmp_path / "out", balance=0.1, balance_method="weight")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="emoji"):
        export(sixty, "trl", tmp_path / "out", balance=0.1, balance_ignore=["emojis"])
    assert not (tmp_path / "out").exists()


def test_the_command_rebuilds_and_balances_without_a_call(stored, tmp_path) -> None:
    def invoke(out: str, *flags: str) -> dict[str, Any]:
        arguments = [
            str(stored),
            "--format",
            "trl",
            "--out",
            str(tmp_path / out),
            "--split",
            "100/0/0",
            "--json",
        ]
        return json.loads(CliRunner().invoke(command, [*arguments, *flags], catch_exceptions=False).stdout)

    with RunStore(stored) as store:
        calls = store.spent().calls
    plain = invoke("plain")
    assert (plain["pairs"], plain["balance"]) == (None, None)
    opposite = invoke("opposite", "--design", "opposite", "--min-margin", "0.05", "--max-per-message", "1")
    assert opposite["pairs"] == {
        "design": "opposite", "min_margin": 0.05, "min_probability": 0.7, "max_per_message": 1,
    }  # fmt: skip
    assert {row["rejected_level"] for row in rows_of(tmp_path / "opposite")} == {"opposite"}
    assert invoke("sure", "--min-probability", "0.5")["pairs"]["design"] == "best_rest"
    assert invoke("balanced", "--balance", "--balance-ignore", "trait_words")["balance"]["threshold"] == 0.1
    assert invoke("weighed", "--balance", "0.2", "--balance-method", "weights")["balance"]["threshold"] == 0.2
    with RunStore(stored) as store:
        assert store.spent().calls == calls


def test_position_effects_of_the_whole_run_are_taken_out_of_the_rankings_and_named(tmp_path: Path) -> None:
    trait = Trait(name="patience", description="Takes the time an explanation needs.")
    config = Config.model_validate({"messages": {"per_trait": 60}, "ranking": {"passes": 3, "max_passes": 3}})
    run(Constitution(name="calm", traits=(trait,)), tmp_path / "run", config=config)
    result = CliRunner().invoke(
        command,
        [str(tmp_path / "run"), "--format", "trl", "--out", str(tmp_path / "out"), "--debias", "--json"],
    )
    assert result.exit_code == 0, result.output
    (effects,) = json.loads(result.output)["position_effects"].values()
    # The rehearsal judge gives the first place 0.06, the last -0.06, and slides in between.
    assert effects == pytest.approx([0.06, 0.02, -0.02, -0.06], abs=0.03)
    assert "Position effects taken out" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_position_effects_are_only_taken_out_where_pairs_are_rebuilt(wordy, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="PairsConfig"):
        export(wordy, "trl", tmp_path / "out", without_position_effects=True)


@pytest.mark.parametrize("option", [("--balance-ignore", "questions"), ("--balance-method", "weights")])
def test_options_of_balancing_without_it_are_an_error(stored, tmp_path, option) -> None:
    arguments = [str(stored), "--format", "trl", "--out", str(tmp_path / "out"), *option]
    with pytest.raises(InputError, match=f"{option[0]} is given without --balance"):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_and_ignored_weights_are_told_in_card_and_warnings(wordy, tmp_path) -> None:
    data = wordy.model_copy(update={"manifest": {"rehearsal": False, "pending": 7}})
    report = export(data, "trl", tmp_path, balance=0.1, balance_method="weights")
    card = " ".join((tmp_path / "README.md").read_text(encoding="utf-8").split())
    assert any("7 messages were still to do" in said for said in report.warnings)
    assert "7 messages were still to do" in card
    assert "DPOTrainer ignores it" in card
