"""``character audit``: what it finds in a run, what it writes and prints, and what it says where there is nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from character import CharacterProgram, Config, Constitution, Message, Trait, run
from character.audit.audit import audit
from character.audit.findings import findings
from character.audit.messages.audit import audit_messages
from character.audit.messages.findings import message_findings
from character.audit.page.page import audit_page
from character.audit.records import RunAudit
from character.errors import InputError, UnknownNameError
from character.exports.facts import read_summary
from character.locale import LANGUAGES, wording
from character.pairs.features import FEATURES
from character.records import LEVELS, Turn
from character.report import render
from character.review.answers import CheckAnswer
from character.review.store import ReviewStore
from character.runs.identity import run_identity
from character.runs.run import RUN
from character.runs.session import write_down
from character.statistics.intervals import Interval
from character.store.run_store import RunStore

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "constitutions"
PAGE, LEVEL_WORDS, STATUS_WORDS, STAGE_WORDS, SIDE_WORDS, FINDINGS, FEATURE_WORDS = (
    {language: wording(f"audit.{table}", language) for language in LANGUAGES}
    for table in ("page", "levels", "statuses", "stages", "sides", "findings", "features")
)
MESSAGE_FINDINGS, MESSAGE_PAGE, KIND_WORDS, BAND_WORDS = (
    {language: wording(f"audit_messages.{table}", language) for language in LANGUAGES}
    for table in ("findings", "page", "kinds", "bands")
)


def character(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "character", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "160", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)


@pytest.fixture(scope="module", params=["en", "zh"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return a language and a finished run in it."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    constitution = EXAMPLES / f"patience-and-humour.{request.param}.toml"
    done = character("run", constitution, "--out", folder, "--messages-per-trait", 12, "--json")
    assert done.returncode == 0, done.stderr
    return request.param, folder


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Return a run that was begun and has nothing in it."""
    constitution = Constitution(name="none", traits=(Trait(name="patience", description="takes its time"),))
    with RunStore.create(tmp_path / "empty") as store:
        write_down(store, RUN, run_identity(constitution.fingerprint, Config(), None), Config(), constitution)
    return tmp_path / "empty"


def test_audit_writes_a_report_and_json_into_the_run_and_prints_the_findings(made: tuple[str, Path]) -> None:
    language, folder = made
    done = character("audit", folder)
    assert done.returncode == 0, done.stderr
    written = RunAudit.model_validate_json((folder / "audit.json").read_text(encoding="utf-8"))
    assert written.language == language
    html = (folder / "audit.html").read_text(encoding="utf-8")
    said = re.sub(r"\s", "", done.stdout)
    for finding in written.findings:
        assert re.sub(r"\s", "", finding.text) in said
    assert PAGE[language]["first"] in done.stdout
    assert html == render(audit_page(written))


def test_the_audit_agrees_with_the_run_and_calls_no_model(made: tuple[str, Path]) -> None:
    _, folder = made
    with RunStore(folder) as store:
        calls, counts = store.spent().calls, store.counts()
        rollouts = list(store.rollouts())
    found = audit(folder)
    assert found.num_pairs == counts["pairs"] == sum(len(rollout.pairs) for rollout in rollouts)
    assert found.states["messages"] == counts["messages"] == found.messages.run.num_messages
    assert found.candidates.num_candidates == sum(len(r.candidates.items) for r in rollouts if r.candidates)
    assert sum(found.rankings.statuses.values()) == sum(1 for r in rollouts if r.ranking)
    assert found.confounds
    assert found.confounds.run.num_pairs == found.num_pairs
    assert all(0 <= side.chosen + side.rejected <= 1 for side in found.sides)
    with RunStore(folder) as store:
        assert store.spent().calls == calls


def test_the_same_run_and_seed_give_the_same_audit(made: tuple[str, Path]) -> None:
    _, folder = made
    assert audit(folder, seed=3) == audit(folder, seed=3)


def test_findings_are_sorted_by_what_asks_for_attention(made: tuple[str, Path]) -> None:
    weights = [finding.weight for finding in audit(made[1]).findings]
    assert weights == sorted(weights, key=("look", "note", "fine").index)
    assert {finding.code for finding in audit(made[1]).findings} >= {"rehearsal"}


def test_the_least_consistent_rankings_are_shown_least_first(made: tuple[str, Path]) -> None:
    found = audit(made[1])
    values = [example.consistency for example in found.examples.rankings]
    assert values == sorted(values, key=lambda value: -2 if value is None else value)
    with RunStore(made[1]) as store:
        known = [
            r.ranking.consistency for r in store.rollouts() if r.ranking and r.ranking.consistency is not None
        ]
    assert values == sorted(known)[: len(values)]


def test_confounded_pairs_are_shown_for_what_is_flagged(made: tuple[str, Path]) -> None:
    found = audit(made[1])
    assert found.confounds
    assert {example.name for example in found.examples.pairs} <= set(found.confounds.flagged)


def test_the_language_can_be_chosen_and_names_of_findings_stay(made: tuple[str, Path]) -> None:
    english, chinese = audit(made[1], language="en"), audit(made[1], language="zh")
    assert [f.code for f in english.findings] == [f.code for f in chinese.findings]
    assert not re.search(r"[\u4e00-\u9fff]", PAGE["en"]["first"])
    assert PAGE["zh"]["first"] in render(audit_page(chinese))
    assert PAGE["en"]["first"] not in render(audit_page(chinese))
    with pytest.raises(UnknownNameError, match="en, zh"):
        audit(made[1], language="fr")  # type: ignore[arg-type]


def test_json_is_one_document_and_out_names_both_files(made: tuple[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "new folder" / "seen.html"
    done = character("audit", made[1], "--out", out, "--language", "en", "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["language"] == "en"
    assert printed == json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert out.is_file()


def test_a_run_with_nothing_in_it_gets_a_clear_message(empty: Path) -> None:
    done = character("audit", empty, "--language", "en")
    assert done.returncode == 0, done.stderr
    assert "nothing to audit yet" in done.stdout
    assert "nothing to audit yet" in (empty / "audit.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nowhere"], "holds no run"), (["run", "--out", "a.json"], "ends in .html"), (["run", "--language", "fr"], "'en', 'zh'")],
)  # fmt: skip
def test_mistakes_get_one_clear_error(made: tuple[str, Path], arguments: list[str], said: str) -> None:
    given = [str(made[1]) if argument == "run" else argument for argument in arguments]
    done = character("audit", *given)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(
    made: tuple[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = character("audit", made[1], "--out", tmp_path / "file" / "a.html")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_the_dataset_card_shows_the_audit_where_there_is_one(made: tuple[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(made[1], folder, ignore=shutil.ignore_patterns("audit.*"))
    assert read_summary(folder) is None
    without = character("export", folder, "--format", "trl", "--out", tmp_path / "without")
    assert without.returncode == 0, without.stderr
    assert "## Audit" not in (tmp_path / "without" / "README.md").read_text(encoding="utf-8")
    assert character("audit", folder).returncode == 0
    assert character("export", folder, "--format", "trl", "--out", tmp_path / "with").returncode == 0
    card = (tmp_path / "with" / "README.md").read_text(encoding="utf-8")
    found = audit(folder)
    assert "## Audit" in card
    assert all(finding.text in card for finding in found.findings if finding.weight == "look")
    (folder / "audit.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="run `character audit"):
        read_summary(folder)


def test_every_remark_on_messages_becomes_a_finding_in_both_languages(made: tuple[str, Path]) -> None:
    brief = {"length": "long: a short paragraph"}
    same = [
        Message(
            trait="patience",
            turns=(Turn(role="user", content=f"Could you please help me again {i // 2}"),),
            brief=brief,
        )
        for i in range(60)
    ]
    targets = {"patience": {"question": 90}, "humour": {"situation": 5}}
    messages = audit_messages(same, targets=targets)
    codes = {note.code for note in messages.notes if note.scope == "all"}
    assert codes >= {
        "kind",
        "length",
        "opener",
        "openers",
        "near_duplicates",
        "self_bleu",
        "compression",
        "vendi",
    }
    for language in ("en", "zh"):
        found = audit(made[1], language=language).model_copy(update={"messages": messages})
        assert {
            f.code.removeprefix("messages:") for f in message_findings(found) if f.weight == "look"
        } == codes
        assert "{" not in "".join(finding.text for finding in message_findings(found))
        assert "near-duplicates" in render(audit_page(found)) or "近似重复" in render(audit_page(found))


def test_a_program_of_ones_own_that_asks_for_fewer_messages_is_no_shortfall(tmp_path: Path) -> None:
    constitution = Constitution(name="one", traits=(Trait(name="patience", description="takes its time"),))
    run(constitution, tmp_path / "run", program=CharacterProgram(messages_per_trait=2))
    found = audit(tmp_path / "run")
    assert found.states["messages"] == 2
    assert not [finding for finding in found.findings if finding.code == "messages:kind"]


def test_both_languages_have_the_same_words_and_every_feature_and_level_has_one() -> None:
    for table in (
        FINDINGS,
        FEATURE_WORDS,
        SIDE_WORDS,
        STAGE_WORDS,
        PAGE,
        LEVEL_WORDS,
        STATUS_WORDS,
        MESSAGE_FINDINGS,
        MESSAGE_PAGE,
        BAND_WORDS,
        KIND_WORDS,
    ):
        assert table["en"].keys() == table["zh"].keys()
    assert set(FEATURE_WORDS["en"]) == set(FEATURES)
    assert set(LEVEL_WORDS["en"]) == set(LEVELS)
    fields: dict[str, Any] = {
        language: {code: set(re.findall(r"{(\w+)}", text)) for code, text in FINDINGS[language].items()}
        for language in FINDINGS
    }
    assert fields["en"] == fields["zh"], "a sentence fills in the same figures in both languages"


def test_few_messages_are_never_called_fine(made: tuple[str, Path]) -> None:
    found = audit(made[1], language="en")
    small = found.model_copy(update={"num_pairs": 6, "states": {**found.states, "messages": 3}})
    said = findings(small)
    assert {one.weight for one in said} <= {"look", "note"}
    assert "3 messages and 6 pairs are too few" in next(one.text for one in said if one.code == "too_few")
    assert "too_few" not in {one.code for one in findings(found)}


def test_a_single_message_gives_no_interval(tmp_path: Path) -> None:
    constitution = Constitution(name="one", traits=(Trait(name="patience", description="takes its time"),))
    run(constitution, tmp_path / "run", program=CharacterProgram(messages_per_trait=1))
    found = audit(tmp_path / "run")
    assert (found.rankings.consistency, found.rankings.levels, found.rankings.groups[0].intended) == (
        None,
        (),
        None,
    )
    if found.confounds:
        assert {row.low for row in found.confounds.run.features} == {None}
    assert render(audit_page(found))


@pytest.mark.parametrize(("strategy", "judged"), [("pointwise", 2), ("pairwise", 6)])
def test_strategies_of_small_passes_are_measured_over_whole_rounds(
    tmp_path: Path, strategy: str, judged: int
) -> None:
    constitution = Constitution(name="one", traits=(Trait(name="patience", description="takes its time"),))
    config = Config.model_validate(
        {"messages": {"per_trait": 12}, "ranking": {"strategy": strategy, "passes": 2, "max_passes": 2}}
    )
    run(constitution, tmp_path / "run", config=config)
    found = audit(tmp_path / "run", language="en")
    assert found.rankings.passes == judged
    assert found.rankings.consistency
    assert {one.code for one in found.findings}.isdisjoint({"one_pass"})


def test_chosen_sides_asked_to_miss_the_trait_are_flagged_above_a_tenth(made: tuple[str, Path]) -> None:
    found = audit(made[1], language="en")
    assert sum(found.chosen_levels.values()) == found.num_pairs
    for number, told in ((0.09, False), (0.15, True)):
        levels = {"natural": 100, "overdone": round(number * found.num_pairs)}
        said = findings(found.model_copy(update={"chosen_levels": levels}))
        assert ("chosen_level" in {one.code for one in said}) == told


def test_jurors_of_one_model_are_not_called_independent(made: tuple[str, Path]) -> None:
    found = audit(made[1], language="en")
    rankings = found.rankings.model_copy(
        update={"alpha": Interval(0.9, 0.8, 0.95), "same_model": ("openai/judge",)}
    )
    said = {one.code: one for one in findings(found.model_copy(update={"rankings": rankings}))}
    assert said["jurors"].weight == "note"
    assert "not independent" in said["same_model"].text


def test_what_reviewers_vetoed_is_in_no_figure_and_counted(made: tuple[str, Path], tmp_path: Path) -> None:
    language, whole = made
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    before = audit(folder)
    with RunStore(folder) as store:
        paired = [rollout for rollout in store.rollouts() if len(rollout.pairs) > 1]
    gone, lessened = paired[0], paired[1]
    vetoes = (f"message:{gone.message.id}", f"pair:{lessened.pairs[0].id}")
    with ReviewStore(folder) as reviews:
        for item in vetoes:
            reviews.record("Ann", "check", {item: CheckAnswer(verdict="veto")}, seen=0, nonce=item)
    after = audit(folder)
    assert after.vetoed == {"vetoed_message": 1, "vetoed_pair": 1}
    assert after.num_pairs == before.num_pairs - len(gone.pairs) - 1
    assert after.states["messages"] == before.states["messages"] - 1
    assert after.confounds is not None
    assert after.confounds.run.num_pairs == after.num_pairs
    assert gone.message.text not in render(audit_page(after))
    told = next(finding.text for finding in after.findings if finding.code == "vetoed")
    assert ("vetoed messages 1" if language == "en" else "被否决的消息 1") in told
    assert "vetoed" not in {finding.code for finding in before.findings}
