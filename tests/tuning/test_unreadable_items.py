"""What a judge's replies could not tell is in no figure, is counted, and is never a gain."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, Reply, as_rehearsal, backend_at, chat
from planted_judge import pupil

from character import Config, Ranker, build_lm, evaluate_ranker, optimize
from character.errors import BackendUnavailableError, UnusableModelError
from character.tuning.page import optimization_page
from optimizers.errors import OptimizerError
from optimizers.labelled import LabelledItem, LabelledSet, merge_labelled, read_labelled
from optimizers.optimize import optimize_ranker

EXAMPLES = Path(__file__).parents[2] / "examples" / "labelled"
ZH = read_labelled(EXAMPLES / "patience-and-humour.zh.jsonl")
BOTH = merge_labelled([read_labelled(EXAMPLES / "patience-and-humour.en.jsonl"), ZH])


def _asks_about(items: tuple[LabelledItem, ...]) -> Callable[[dict[str, Any]], bool]:
    starts = [item.candidates[0].split("\n")[0] for item in items]
    return lambda request: any(text in str(request["messages"][-1]["content"]) for text in starts)


def _right(labelled: LabelledSet) -> Callable[[dict[str, Any]], str]:
    """Return a judge that gives every response the raters' own score."""

    def script(request: dict[str, Any]) -> str:
        shown = str(request["messages"][-1]["content"])
        item = next(each for each in labelled.items if each.candidates[0] in shown)
        places = sorted(range(len(item.candidates)), key=lambda i: shown.index(item.candidates[i]))
        scores = [round(10 * (item.consensus()[i] or 0)) for i in places]
        return chat(reasoning="r", suitable="True", scores=scores)

    return script


def _config(server: FakeServer, **fields: object) -> Config:
    backends = {"default": backend_at(server, **fields).model_dump(exclude_unset=True)}
    return Config.model_validate({"backends": backends, "ranking": {"passes": 1, "max_passes": 1}})


def test_items_that_cannot_be_read_or_are_lost_to_the_server_are_left_out_and_counted(
    server: FakeServer,
) -> None:
    unreadable, lost, right = _asks_about(ZH.items[:5]), _asks_about(ZH.items[5:6]), _right(ZH)
    server.script = lambda request: (
        "都不错。"
        if unreadable(request)
        else Reply(status=500, body='{"error": {"message": "boom"}}')
        if lost(request)
        else right(request)
    )
    (row,) = evaluate_ranker(ZH, _config(server))
    assert row.not_ranked == {"unreadable": 5, "server_error": 1}
    assert row.ranked == len(ZH) - 6
    assert row.left_out.startswith(f"{len(ZH)} 条标注中有 6 条排不出名次（无法解析 5")
    for metric in ("pairwise_accuracy", "tau_b"):
        figure = row.metrics[metric]
        assert figure["estimate"] == pytest.approx(1.0, abs=0.05)
        assert figure["high"] is not None
        assert figure["high"] <= 1


def test_where_nothing_can_be_ranked_there_are_no_figures(server: FakeServer) -> None:
    server.script = lambda _request: "They are all lovely."
    with pytest.raises(
        UnusableModelError, match=r"none of the 24 items could be ranked \(unreadable 24\)"
    ) as raised:
        evaluate_ranker(ZH, _config(server))
    assert raised.value.exit_code == 5
    server.script = lambda _request: Reply(status=401, body='{"error": {"message": "no such key"}}')
    with pytest.raises(BackendUnavailableError, match="no such key"):
        evaluate_ranker(ZH, _config(server))


def test_a_tuned_ranker_that_no_longer_ranks_what_is_hard_is_not_adopted(server: FakeServer) -> None:
    hard, judge = _asks_about(BOTH.items[::2]), pupil(BOTH)
    server.script = lambda request: (
        "No." if len(request["messages"]) > 2 and "seed" in request and hard(request) else judge(request)
    )
    with dspy.context(lm=build_lm(backend_at(server))):
        result = optimize_ranker(Ranker(), BOTH, "few_shot", budget=600, num_threads=1)
    report = result.report
    assert report.tuned.num_demos > 0
    assert report.gain is not None
    assert report.gain.num_items == report.num_test - sum(report.not_ranked["after"].values())
    assert report.not_ranked["before"] == {}
    assert list(report.not_ranked["after"]) == ["unreadable"]
    assert (report.verdict, report.adopted) == ("losses", False)
    assert "no longer ranks some that the untuned one ranked" in report.reason
    for language, said in (("en", "after unreadable"), ("zh", "调整后 无法解析")):
        assert said in str(optimization_page(report, language))


def test_tuning_begins_only_where_most_items_can_be_ranked(server: FakeServer) -> None:
    readable = _asks_about(BOTH.items[::4])
    server.script = lambda request: as_rehearsal(request) if readable(request) else "All lovely."
    with (
        dspy.context(lm=build_lm(backend_at(server))),
        pytest.raises(OptimizerError, match=r"could rank \d+ of the \d+ held-out items \(unreadable \d+\)"),
    ):
        optimize_ranker(Ranker(), BOTH, "few_shot", budget=600, num_threads=1)


@pytest.mark.parametrize(
    ("structured", "keeps", "by_schema"),
    [("json_schema", True, 24), ("auto", True, 24), ("auto", False, 1), ("fields", True, 0)],
)
def test_a_judge_is_measured_and_tuned_in_the_form_in_which_a_run_asks_it(
    server: FakeServer, tmp_path: Path, structured: str, keeps: bool, by_schema: int
) -> None:
    right = _right(ZH)

    def script(request: dict[str, Any]) -> str:
        scores = re.findall(r"\[[\d, ]+\]", right(request))[-1]
        as_json = f'{{"reasoning": "r", "suitable": true, "scores": {scores}}}'
        return as_json if keeps and "response_format" in request else right(request)

    server.script = script
    config = _config(server, structured=structured, max_in_flight=1).model_copy(update={"concurrency": 1})
    evaluate_ranker(ZH, config)
    asked = ["response_format" in request for request in server.requests]
    assert (len(asked), sum(asked)) == (24, by_schema)
    optimize(ZH, tmp_path / "tuned", config, strategy="few_shot", budget=60)
    asked = ["response_format" in request for request in server.requests[24:]]
    assert sum(asked) == {24: len(asked)}.get(by_schema, by_schema)
