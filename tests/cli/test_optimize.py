"""``character optimize`` and ``character evaluate-ranker``: what they write, how they resume, and what they refuse."""

from __future__ import annotations

import html
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, Reply, as_rehearsal
from planted_judge import pupil

from character.locale import LANGUAGES, wording
from optimizers.labelled import read_labelled

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "labelled"
LABELS = EXAMPLES / "patience-and-humour.en.jsonl"
REHEARSAL_WORDS = {language: wording("report.page", language)["rehearsal"] for language in LANGUAGES}


def command(*arguments: object) -> list[str]:
    """Return the command line that runs the command line."""
    return [sys.executable, "-m", "character", *map(str, arguments)]


def character(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    environment = {**os.environ, "COLUMNS": "160", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=240, check=False, env=environment
    )


def at(server: FakeServer) -> list[object]:
    """Return the options that name the fake server."""
    return ["--lm", f"openai/{server.name}", "--api-base", server.url]


def program_of(folder: Path) -> dict[str, Any]:
    """Return what a folder's saved ranker says, but when it was made."""
    saved: dict[str, Any] = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
    del saved["created_at"]
    return saved


def bodies(requests: list[dict[str, Any]]) -> Counter[str]:
    """Return how often each request arrived."""
    return Counter(json.dumps(request, sort_keys=True) for request in requests)


def test_it_writes_the_ranker_and_the_report_and_a_run_can_judge_with_it(tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    done = character("optimize", LABELS, "--strategy", "few_shot", "--budget", 300, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["calls"]["ranking"] <= 300
    assert report == {"folder": str(out), **json.loads((out / "report.json").read_text(encoding="utf-8"))}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert report["reason"].split(" at the level")[0].split("[")[0] in page
    assert (out / "optimizers.log").exists()
    constitution = EXAMPLES.parent / "constitutions" / "patience-and-humour.en.toml"
    ran = character(
        *("run", constitution, "--out", tmp_path / "run", "--messages-per-trait", 1),
        *("--ranker", out / "ranker.json", "--json"),
    )
    assert ran.returncode == 0, ran.stderr


def test_the_same_command_again_makes_no_call_and_another_one_is_refused(
    tmp_path: Path, server: FakeServer
) -> None:
    out = tmp_path / "tuned"
    asked = ["optimize", LABELS, "--strategy", "copro", "--budget", 200, "--out", out, *at(server)]
    first = character(*asked)
    assert first.returncode == 0, first.stderr
    made, number = program_of(out), len(server.requests)
    assert max(bodies(server.requests).values()) == 1
    again = character(*asked)
    assert again.returncode == 0, again.stderr
    assert len(server.requests) == number
    assert program_of(out) == made
    other = character(*asked, "--metric", "tau_b")
    assert other.returncode == 2
    assert "metric: 'pairwise_accuracy' before, 'tau_b' now" in other.stderr


@pytest.mark.parametrize("strategy", ["few_shot", "mipro", "auto"])
def test_killed_at_any_point_it_repeats_no_finished_call_and_ends_with_the_same_program(
    strategy: str, tmp_path: Path, server: FakeServer
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("concurrency = 4\n[backends.default]\nmax_in_flight = 4\n", encoding="utf-8")
    options = ["--strategy", strategy, "--budget", 200, "--config", config, *at(server)]
    whole = character("optimize", LABELS, "--out", tmp_path / "whole", *options)
    assert whole.returncode == 0, whole.stderr
    expected = len(server.requests)
    server.requests.clear()
    server.delay_s = 0.02
    in_flight = 0
    for stop_at in (expected // 3, expected * 2 // 3):
        running = subprocess.Popen(
            command("optimize", LABELS, "--out", tmp_path / "cut", *options),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while len(server.requests) < stop_at + in_flight and running.poll() is None:
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
        running.wait()
        in_flight += 4  # what was asked for and not yet on disk may be asked for again
    server.delay_s = 0.0
    last = character("optimize", LABELS, "--out", tmp_path / "cut", *options)
    assert last.returncode == 0, last.stderr
    assert program_of(tmp_path / "cut") == program_of(tmp_path / "whole")
    assert len(server.requests) - expected <= 2 * 4
    assert len(bodies(server.requests)) == expected


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(tmp_path: Path, server: FakeServer) -> None:
    server.delay_s = 0.05
    options = [
        "optimize",
        LABELS,
        "--strategy",
        "few_shot",
        "--budget",
        200,
        "--out",
        tmp_path / "o",
        *at(server),
    ]
    running = subprocess.Popen(command(*options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(server.requests) < 40:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "the same command goes on from there" in said
    finished = len(server.requests)
    server.delay_s = 0.0
    done = character(*options)
    assert done.returncode == 0, done.stderr
    assert max(bodies(server.requests[finished:]).values()) == 1
    assert bodies(server.requests).total() - len(bodies(server.requests)) <= 16


def test_a_server_that_goes_down_ends_with_4_and_the_work_goes_on_when_it_is_back(
    tmp_path: Path, server: FakeServer
) -> None:
    def down_after_60(request: dict[str, Any]) -> str | Reply:
        return as_rehearsal(request) if len(server.requests) <= 60 else Reply(status=401, body="{}")

    server.script = down_after_60
    options = [
        "optimize",
        LABELS,
        "--strategy",
        "few_shot",
        "--budget",
        200,
        "--out",
        tmp_path / "o",
        *at(server),
    ]
    stopped = character(*options)
    assert stopped.returncode == 4, stopped.stderr
    assert "Traceback" not in stopped.stderr
    server.script = as_rehearsal
    assert character(*options).returncode == 0


def test_a_recheck_measures_a_saved_ranker_with_todays_model(tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    character("optimize", LABELS, "--strategy", "few_shot", "--budget", 300, "--out", out)
    done = character("optimize", LABELS, "--recheck", out / "ranker.json", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["tuned_on"] == found["model"] == "rehearsal/default"
    assert found["metrics"][0]["metric"] == "pairwise_accuracy"
    assert (found["metrics"][0]["num_items"], found["metrics"][0]["num_lost"]) == (24, 0)
    assert found["gain_holds"] == (found["metrics"][0]["gain"]["low"] > 0)


def test_rankers_and_backends_are_measured_side_by_side(tmp_path: Path, server: FakeServer) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[backends.judge]\nmodel = "openai/{server.name}"\napi_base = "{server.url}"\n', encoding="utf-8"
    )
    done = character(
        *("evaluate-ranker", LABELS, "--config", config, "--with", "default", "--with", "judge", "--json")
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["backend"] for row in rows] == ["default", "judge"]
    assert len(server.requests) == rows[1]["calls"] > 0
    assert all(row["ranked"] == 24 and 0 < row["metrics"]["ndcg"]["estimate"] <= 1 for row in rows)
    shown = character("evaluate-ranker", LABELS)
    assert "pairwise_accuracy" in shown.stdout
    tuned = tmp_path / "tuned"
    assert character("optimize", LABELS, "--strategy", "calibrate", "--out", tuned).returncode == 0
    flattered = character("evaluate-ranker", LABELS, "--ranker", tuned / "ranker.json")
    assert "tuned on these labels" in " ".join(flattered.stdout.split())
    unknown = character("evaluate-ranker", LABELS, "--with", "jugde", "--config", config)
    assert unknown.returncode == 2
    assert "did you mean 'judge'" in unknown.stderr


def test_what_is_left_out_of_figures_is_said(tmp_path: Path, server: FakeServer) -> None:
    labelled = read_labelled(LABELS)
    hard = [item.candidates[0].split("\n")[0] for item in labelled.items[:6]]
    server.script = lambda request: (
        "All lovely."
        if any(text in turn["content"] for text in hard for turn in request["messages"])
        else as_rehearsal(request)
    )
    shown = character("evaluate-ranker", LABELS, *at(server))
    assert shown.returncode == 0, shown.stderr
    said = " ".join(shown.stdout.split())
    assert "6 of 24 items could not be ranked (unreadable 6) and are left out" in said
    tuned = tmp_path / "tuned"
    assert character("optimize", LABELS, "--strategy", "calibrate", "--out", tuned).returncode == 0
    again = character("optimize", LABELS, "--recheck", tuned / "ranker.json", *at(server))
    assert "6 of 24 labelled items are left out" in " ".join(again.stdout.split())
    server.script = lambda _request: "All lovely."
    refused = character("evaluate-ranker", LABELS, *at(server), "--json")
    assert (refused.returncode, "rows" in json.loads(refused.stdout)) == (5, False)
    assert "none of the 24 items could be ranked (unreadable 24)" in refused.stdout


def test_without_length_is_another_optimization(tmp_path: Path) -> None:
    asked = [
        "optimize",
        LABELS,
        "--strategy",
        "calibrate",
        "--budget",
        200,
        "--out",
        tmp_path / "o",
        "--json",
    ]
    done = character(*asked, "--no-length")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["warning"] == ""
    other = character(*asked)
    assert other.returncode == 2
    assert "uses_length: False before, True now" in other.stderr


def test_a_cap_in_the_configuration_ends_with_3(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[budget]\nmax_calls = 20\n", encoding="utf-8")
    out = tmp_path / "o"
    done = character("optimize", LABELS, "--strategy", "few_shot", "--config", config, "--out", out)
    assert done.returncode == 3, done.stderr


@pytest.mark.parametrize(
    ("text", "said"), [(None, "cannot be read"), ("not json\n", "line 1"), ("", "Expected")]
)
def test_a_file_that_holds_no_labels_is_named_without_a_traceback(
    text: str | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "labels.jsonl"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    for name in ("optimize", "evaluate-ranker"):
        done = character(name, path)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert said in done.stderr


def test_a_folder_that_holds_a_run_is_left_alone(tmp_path: Path) -> None:
    constitution = EXAMPLES.parent / "constitutions" / "patience-and-humour.en.toml"
    assert (
        character("run", constitution, "--out", tmp_path / "run", "--messages-per-trait", 1).returncode == 0
    )
    done = character("optimize", LABELS, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "holds a run, not an optimization" in done.stderr


ZH_LABELS = EXAMPLES / "patience-and-humour.zh.jsonl"


def test_the_report_speaks_the_language_of_the_labels_and_names_the_rehearsal_model(tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    done = character("optimize", ZH_LABELS, "--strategy", "few_shot", "--budget", 300, "--out", out)
    assert done.returncode == 0, done.stderr
    page = (out / "report.html").read_text(encoding="utf-8")
    for shown in (page, done.stdout):
        assert "24 条标注中测量了 24 条" in shown
        assert REHEARSAL_WORDS["zh"] in shown.replace("\n", "")
    assert json.loads((out / "ranker.json").read_text(encoding="utf-8"))["rehearsal"] is True
    again = character(
        *("optimize", ZH_LABELS, "--strategy", "few_shot", "--budget", 300, "--out", out, "--language", "en")
    )
    assert "measured on 24 of 24 labelled items" in again.stdout
    assert REHEARSAL_WORDS["en"] in " ".join(again.stdout.split())


def test_examples_that_a_judge_learns_from_are_adopted_and_shown(tmp_path: Path, server: FakeServer) -> None:
    server.script = pupil(read_labelled(ZH_LABELS))
    out = tmp_path / "tuned"
    options = ["--strategy", "few_shot", "--budget", 300, "--out", out, *at(server)]
    done = character("optimize", ZH_LABELS, *options)
    assert done.returncode == 0, done.stderr
    for shown in ((out / "report.html").read_text(encoding="utf-8"), done.stdout):
        assert "提示词中的示例" in shown
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["adopted"] is True


def test_a_real_judge_is_not_called_rehearsal_unless_the_labelled_candidates_were(
    tmp_path: Path, server: FakeServer
) -> None:
    options = ["--strategy", "calibrate", "--budget", 100, "--json", *at(server)]
    done = character("optimize", LABELS, "--out", tmp_path / "a", *options)
    assert json.loads(done.stdout)["rehearsal"] is False
    rows = [json.loads(line) for line in LABELS.read_text(encoding="utf-8").split("\n") if line]
    marked = tmp_path / "marked.jsonl"
    marked.write_text("\n".join(json.dumps({**row, "rehearsal": True}) for row in rows), encoding="utf-8")
    done = character("optimize", marked, "--out", tmp_path / "b", *options)
    assert json.loads(done.stdout)["rehearsal"] is True
    assert json.loads((tmp_path / "b" / "ranker.json").read_text(encoding="utf-8"))["rehearsal"] is True


def test_what_was_tuned_is_shown_line_by_line(tmp_path: Path) -> None:
    options = ["--strategy", "copro", "--budget", 300, "--out", tmp_path / "o"]
    report = json.loads(character("optimize", LABELS, *options, "--json").stdout)
    before, after = (report["tuned"][name].split("\n") for name in ("instructions_before", "instructions"))
    new = [line for line in after if line not in before]
    shown = character("optimize", LABELS, *options)
    assert new
    for line in new:
        assert f"+ {line}" in shown.stdout
        assert f"+ {line}" in html.unescape((tmp_path / "o" / "report.html").read_text(encoding="utf-8"))
    assert (report["tuned"]["num_demos"], report["tuned"]["calibration"]) == (0, None)


@pytest.mark.parametrize("strategy", ["few_shot", "gepa"])
def test_a_dry_run_sends_and_writes_nothing_and_is_not_below_what_it_takes(
    strategy: str, tmp_path: Path, server: FakeServer
) -> None:
    config = tmp_path / "config.toml"
    prices = "input_price = 1.0\noutput_price = 2.0\n"
    backend = f'[backends.default]\nmodel = "openai/{server.name}"\napi_base = "{server.url}"\n{prices}'
    config.write_text(backend, encoding="utf-8")
    options = ["--strategy", strategy, "--budget", 200, "--config", config, "--out", tmp_path / "o", "--json"]
    estimated = json.loads(character("optimize", LABELS, *options, "--dry-run").stdout)
    assert (server.requests, (tmp_path / "o").exists()) == ([], False)
    assert estimated["all"]["calls"] == 200
    assert estimated["all"]["cost_usd"] == pytest.approx(
        (estimated["all"]["prompt_tokens"] + 2 * estimated["all"]["completion_tokens"]) / 1e6
    )
    calls = json.loads(character("optimize", LABELS, *options).stdout)["calls"]
    assert calls["ranking"] + calls["reflection"] <= 200
    assert calls["prompt_tokens"] <= estimated["all"]["prompt_tokens"]
    assert "nothing was sent" in character("optimize", LABELS, "--dry-run").stdout
    refused = character("optimize", LABELS, "--dry-run", "--recheck", tmp_path / "r.json")
    assert (refused.returncode, "--recheck tunes nothing" in refused.stderr) == (2, True)


def test_a_ranker_tuned_on_labels_in_another_language_is_said_to_be(tmp_path: Path) -> None:
    tuned = tmp_path / "tuned" / "ranker.json"
    character("optimize", ZH_LABELS, "--strategy", "calibrate", "--budget", 100, "--out", tuned.parent)
    for done in (
        character("evaluate-ranker", LABELS, "--ranker", tuned),
        character("optimize", LABELS, "--recheck", tuned),
    ):
        said = " ".join(done.stdout.split())
        assert "tuned on labels in zh; here it judges in en" in said
        assert REHEARSAL_WORDS["en"] in said
