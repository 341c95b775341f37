"""Folders that an earlier version made go on: no call is made twice, and what they give is as it was.

The folders in ``fixtures/folders`` are to be kept; ``fixtures/make_folders.py`` says how they were made.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from earlier_folders import (
    ADDED_TABLES,
    DIGESTED_EXPORTS,
    EXPORTS,
    RECORD,
    character,
    contents,
    differences,
    digests,
    number_of_calls,
    tables,
    unpack,
)
from postgres_server import postgres_server, program

from character import Config, run
from optimizers.validation.evaluation import SCALES

FINISHED_RUNS = ("run-en", "run-zh")
HALF_RUNS = ("half-capped", "half-interrupted")
CALLS = ("calls", "call_payloads")
DRAWN = {"low", "high", "p", "adjusted_p", "reason"}
"""Figures that come of random draws, and the sentence that quotes them."""
VETOED_PAIRS = {"run-en": 3}
"""Pairs that a reviewer's vetoes take out of audits and exports."""
EFFECT_FILES = ("responses.jsonl", "effect_items.json", "choices.jsonl")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a copy of all folders and their inputs, which is the working folder too."""
    unpack(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", FINISHED_RUNS)
def test_a_finished_run_makes_no_call_and_stays_as_it_is(folders: Path, name: str) -> None:
    before, status = tables(folders / name / "run.sqlite"), read(f"expected/{name}/status.json")
    assert differences(status, json.loads(character("status", name, "--json"))) == []
    closing = json.loads(resume(name))
    after = tables(folders / name / "run.sqlite")
    assert len(after["calls"]) == RECORD[name]["calls"]
    assert without_meta(after) == without_meta(before)
    assert made_at(after) == made_at(before)
    assert differences(status, closing) == []


@pytest.mark.parametrize("name", HALF_RUNS)
def test_a_half_finished_run_makes_the_calls_that_are_missing_and_no_other(folders: Path, name: str) -> None:
    before = tables(folders / name / "run.sqlite")
    assert len(before["calls"]) == RECORD[name]["calls"]
    closing = json.loads(resume(name))
    after = tables(folders / name / "run.sqlite")
    assert only_grew(before, after) == RECORD[name]["missing"]
    assert after["layout"] == before["layout"]
    assert differences(read(f"expected/{name}/status.json"), closing) == []


@pytest.mark.parametrize("name", [name for name in RECORD if name not in ("optimize", "postgres")])
def test_a_cap_at_the_calls_that_are_expected_is_never_reached(folders: Path, name: str) -> None:
    """A call that reached a model would pass the cap, whether or not it was kept."""
    total = RECORD[name]["calls"] + RECORD[name]["missing"]
    resume(name, "--max-calls", total)
    assert number_of_calls(folders / name) == total


@pytest.mark.parametrize("name", HALF_RUNS)
def test_a_cap_one_below_stops_a_half_finished_run_once_more(folders: Path, name: str) -> None:
    total = RECORD[name]["calls"] + RECORD[name]["missing"]
    resume(name, "--max-calls", total - 1, code=3)
    assert number_of_calls(folders / name) == total - 1
    resume(name)
    assert number_of_calls(folders / name) == total


@pytest.mark.parametrize("is_resumed", [False, True], ids=["as it is", "resumed"])
@pytest.mark.parametrize("name", FINISHED_RUNS)
def test_the_exports_of_a_finished_run_are_the_same_files(folders: Path, name: str, is_resumed: bool) -> None:
    if is_resumed:
        resume(name)
    assert_same_exports(folders, name)


@pytest.mark.parametrize("name", HALF_RUNS)
def test_the_exports_of_a_half_finished_run_are_the_same_files_once_it_is_finished(
    folders: Path, name: str
) -> None:
    resume(name)
    assert_same_exports(folders, name)


@pytest.mark.parametrize("name", [*FINISHED_RUNS, *HALF_RUNS])
def test_a_run_is_shown_and_audited(folders: Path, name: str) -> None:
    rollouts = json.loads(character("show", name, "--json"))
    assert len(rollouts) == len(tables(folders / name / "run.sqlite")["rollouts"])
    for rollout in rollouts[:1]:
        assert json.loads(character("show", name, "--message", rollout["message"]["id"], "--json")) == rollout
    pairs = json.loads(character("status", name, "--json"))["pairs"]
    assert pairs == sum(len(each["pairs"]) for each in rollouts)
    audit = json.loads(character("audit", name, "--out", "audit/page.html", "--json"))
    assert audit["num_pairs"] == pairs - VETOED_PAIRS.get(name, 0)
    assert (folders / "audit" / "page.html").stat().st_size > 0


@pytest.mark.parametrize("name", [*FINISHED_RUNS, *HALF_RUNS])
def test_another_run_takes_over_every_call_of_an_earlier_one(folders: Path, name: str) -> None:
    """A finished run that is resumed asks for no call; one that takes its calls over asks for each."""
    summary = json.loads(take_over(name))
    before, after = tables(folders / name / "run.sqlite"), tables(folders / "again" / "run.sqlite")
    assert set(before["call_payloads"]) <= set(after["call_payloads"])
    assert len(after["calls"]) - len(before["calls"]) == RECORD[name]["missing"] == calls_of(summary)
    if name in FINISHED_RUNS:
        for table in ("call_payloads", "messages", "message_payloads", "rollouts", "drops", "layout"):
            assert after[table] == before[table]


def test_the_python_door_makes_no_call_either(folders: Path) -> None:
    before = tables(folders / "run-en" / "run.sqlite")
    settings = {"messages": {"per_trait": 3}, "ranking": {"ranker": "optimize/ranker.json"}}
    summary = run("inputs/en.toml", "run-en", config=Config.model_validate(settings))
    after = tables(folders / "run-en" / "run.sqlite")
    assert without_meta(after) == without_meta(before)
    assert summary.pairs == read("expected/run-en/status.json")["pairs"]


def test_the_ranker_of_a_run_stays_and_is_still_the_same_ranker(folders: Path) -> None:
    before = (folders / "run-en" / "ranker.json").read_bytes()
    stored = dict(tables(folders / "run-en" / "run.sqlite")["meta"])["identity"]
    resume("run-en")
    assert (folders / "run-en" / "ranker.json").read_bytes() == before
    assert fingerprint_of("run-en") == fingerprint_of("optimize") == json.loads(stored)["ranking.ranker"]


def test_a_tuning_makes_no_call_and_gives_the_same_ranker(folders: Path) -> None:
    before = tables(folders / "optimize" / "run.sqlite")
    fingerprint, ranker = fingerprint_of("optimize"), read("optimize/ranker.json")
    tune_again(folders)
    after = tables(folders / "optimize" / "run.sqlite")
    assert len(after["calls"]) == RECORD["optimize"]["calls"]
    assert without_meta(after) == without_meta(before)
    assert made_at(after) == made_at(before)
    assert fingerprint_of("optimize") == fingerprint
    now = read("optimize/ranker.json")
    assert differences(leaving_out(ranker, {*DRAWN, "versions"}), now) == []


def test_a_tuning_reports_the_same_figures(folders: Path) -> None:
    ranker, report = read("optimize/ranker.json"), read("optimize/report.json")
    for row in (*report["metrics"], *ranker["metrics"]):  # intervals have ended with the scale since
        for when in ("before", "after"):
            row[when]["low"] = max(row[when]["low"], SCALES[row["metric"]][0])
            row[when]["high"] = min(row[when]["high"], SCALES[row["metric"]][1])
    tune_again(folders)
    assert differences(report, read("optimize/report.json")) == []
    assert differences(leaving_out(ranker, {"versions"}), read("optimize/ranker.json")) == []


def test_a_finished_evaluation_makes_no_call_and_writes_the_same_responses(folders: Path) -> None:
    before = tables(folders / "effect" / "run.sqlite")
    usage = json.loads(character("status", "effect", "--json"))
    report = evaluate_again(folders, "effect", folders / "effect")
    after = tables(folders / "effect" / "run.sqlite")
    assert len(after["calls"]) == RECORD["effect"]["calls"]
    assert without_meta(after) == without_meta(before)
    assert json.loads(character("status", "effect", "--json")) == usage
    assert differences(leaving_out(report, DRAWN), read("effect/effect.json")) == []


def test_a_half_finished_evaluation_makes_the_calls_that_are_missing_and_no_other(folders: Path) -> None:
    before = tables(folders / "effect-half" / "run.sqlite")
    report = evaluate_again(folders, "effect-half", folders / "expected" / "effect-half")
    after = tables(folders / "effect-half" / "run.sqlite")
    assert only_grew(before, after) == RECORD["effect-half"]["missing"]
    assert differences(leaving_out(report, DRAWN), read("effect-half/effect.json")) == []


@pytest.mark.parametrize(("name", "kept"), [("effect", "effect"), ("effect-half", "expected/effect-half")])
def test_an_evaluation_reports_the_same_intervals_and_tests(folders: Path, name: str, kept: str) -> None:
    # The version of the folders resampled 1,000, 2,000 or 4,000 times, today all is resampled equally often. Of six
    # messages with whole degrees the ends of an interval move in steps of a sixth.
    apart = {"low": 0.34, "high": 0.34, "p": 0.02, "adjusted_p": 0.06}
    report = evaluate_again(folders, name, folders / kept)
    assert differences(report, read(f"{name}/effect.json"), drawn=apart) == []


def test_an_earlier_evaluation_is_compared(folders: Path) -> None:
    changes = json.loads(character("compare", "effect", "effect", "--json"))["changes"]
    assert changes
    assert {each["change"]["estimate"] for each in changes} == {0.0}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return the URL of a PostgreSQL server of our own."""
    with postgres_server() as address:
        yield address


@pytest.mark.postgres
def test_a_run_in_postgres_makes_no_call_and_exports_the_same_files(folders: Path, url: str) -> None:
    load_dump(folders, url)
    assert_same_exports(folders, "postgres")
    before = dumped(url)
    closing = json.loads(resume("postgres", "--store", url))
    assert dumped(url) == before
    status = read("expected/postgres/status.json")
    assert calls_of(closing) == RECORD["postgres"]["calls"]
    assert calls_of(json.loads(take_over("postgres"))) == 0
    assert differences(status, closing) == []
    for name, options in EXPORTS.items():
        character("export", "postgres", "--out", f"again/{name}", *options)
        again, kept = (contents(folders / where / name) for where in ("again", "expected/postgres"))
        for file in kept.keys() - {
            "README.md",
            "export.json",
        }:  # these depend on the URL, which has another port
            assert again[file] == kept[file]


def load_dump(folders: Path, url: str) -> None:
    """Load the dump into a server, and let the folder point to it."""
    dump = folders / "postgres" / "dump.sql"
    subprocess.run([program("psql"), "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", dump], check=True)
    pointer = folders / "postgres" / "store.json"
    pointer.write_text(json.dumps({**read("postgres/store.json"), "url": url}) + "\n", encoding="utf-8")


def dumped(url: str) -> list[str]:
    """Return what a server holds, as sorted lines of SQL, besides ``meta`` and the tables that this version adds."""
    left_out = [f"--exclude-table=*.{name}" for name in ("meta", *ADDED_TABLES)]
    command = [program("pg_dump"), "--inserts", *left_out, url]
    dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sorted(line for line in dump.splitlines() if not line.startswith(("\\", "--")))


def resume(name: str, *options: object, code: int = 0) -> str:
    """Give the command that made a folder again; return what it prints."""
    return character(*RECORD[name]["command"], *options, "--json", code=code)


def take_over(name: str) -> str:
    """Make an earlier run once more in the folder ``again``, with its calls; return what is printed."""
    command = [part if part != name else "again" for part in RECORD[name]["command"]]
    return character(*command, "--reuse", name, "--json")


def calls_of(summary: dict[str, Any]) -> int:
    """Return how many calls of its own a run's summary counts."""
    return sum(usage["calls"] for usage in summary["usage"].values())


def read(path: str) -> Any:
    """Return a JSON file of the working folder."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def without_meta(found: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Return the tables but ``meta``, where each sitting writes its configuration anew."""
    return {name: rows for name, rows in found.items() if name != "meta"}


def made_at(found: dict[str, list[tuple[Any, ...]]]) -> tuple[Any, ...]:
    """Return the facts of ``meta`` that no sitting changes."""
    facts = dict(found["meta"])
    return tuple(facts.get(name) for name in ("schema_version", "created_at", "constitution"))


def only_grew(before: dict[str, list[tuple[Any, ...]]], after: dict[str, list[tuple[Any, ...]]]) -> int:
    """Return how many calls were added; every earlier one is still there as it was."""
    for table in CALLS:
        assert set(before[table]) <= set(after[table])
    added = {len(after[table]) - len(before[table]) for table in CALLS}
    assert len(added) == 1
    return added.pop()


def assert_same_exports(folders: Path, name: str) -> None:
    """Check every export of a run against what is kept of it."""
    for out, options in EXPORTS.items():
        character("export", name, "--out", f"exported/{out}", *options)
        assert contents(folders / "exported" / out) == contents(folders / "expected" / name / out)
    kept = read(f"expected/{name}/digests.json")
    for number, arguments in enumerate(DIGESTED_EXPORTS):
        character("export", name, "--out", f"exported/{number}", *arguments.split())
        assert digests(folders / "exported" / str(number)) == kept[arguments], arguments


def fingerprint_of(folder: str) -> str:
    """Return the fingerprint of the one saved ranker of a folder."""
    (ranker,) = json.loads(character("rankers", folder, "--json"))
    return str(ranker["fingerprint"])


def tune_again(folders: Path) -> None:
    """Resume the tuning after its ranker and report are gone, with a cap that no further call fits under."""
    cap = f"[budget]\nmax_calls = {RECORD['optimize']['calls']}\n"
    (folders / "cap.toml").write_text(cap, encoding="utf-8")
    for name in ("ranker.json", "report.json"):
        (folders / "optimize" / name).unlink()
    resume("optimize", "--config", "cap.toml")


def evaluate_again(folders: Path, name: str, kept: Path) -> Any:
    """Resume an evaluation after its files are gone; check the responses, and return the expected report."""
    report = leaving_out(json.loads((kept / "effect.json").read_bytes()), {"version"})
    before = {file: (kept / file).read_bytes() for file in EFFECT_FILES}
    for file in ("effect.json", *EFFECT_FILES):
        (folders / name / file).unlink(missing_ok=True)
    resume(name)
    for file in EFFECT_FILES:
        assert (folders / name / file).read_bytes() == before[file]
    return report


def leaving_out(value: Any, names: set[str]) -> Any:
    """Return a JSON value without the fields of these names, at any depth."""
    if isinstance(value, dict):
        return {name: leaving_out(each, names) for name, each in value.items() if name not in names}
    return [leaving_out(each, names) for each in value] if isinstance(value, list) else value
