"""Agreement between reviewers and with the judge, against figures worked out another way."""

from __future__ import annotations

from pathlib import Path

import krippendorff
import pytest
from review_helpers import some_rollouts, write_run

from character.review.agreement import BLOCK, agreement
from character.review.answers import Answer, CheckAnswer, CompareAnswer, EffectAnswer, RankAnswer, Task
from character.review.index import Index
from character.review.sources import EffectItems, open_subject
from character.review.store import ReviewStore


def said(reviews: ReviewStore, reviewer: str, task: Task, **answers: Answer) -> None:
    for item, answer in answers.items():
        reviews.record(reviewer, task, {item: answer}, seen=0, nonce=f"{reviewer} {item}")


def order(*groups: tuple[int, ...]) -> RankAnswer:
    return RankAnswer(candidates_id="c", order=groups)


def test_rankings_agree_by_the_ordinal_alpha_of_mid_ranks(tmp_path: Path) -> None:
    with ReviewStore(tmp_path) as reviews:
        said(
            reviews,
            "Ann",
            "rank",
            m=order((0,), (1,), (2,)),
            n=order((2,), (1,), (0,)),
            o=order((0, 1), (2,)),
        )
        said(reviews, "Bo", "rank", m=order((0,), (2,), (1,)), n=order((2,), (1,), (0,)))
        found = agreement(reviews, "rank")
    table = [[1, 0.5, 0, 0, 0.5, 1], [1, 0, 0.5, 0, 0.5, 1]]
    expected = krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal")
    assert found.alpha == pytest.approx(expected)
    assert found.num_shared == 2
    assert [(row.reviewer, row.num_answered) for row in found.rows] == [("Ann", 3), ("Bo", 2)]


def test_the_judge_is_compared_on_the_pairs_that_both_order(tmp_path: Path) -> None:
    made = some_rollouts(2)
    folder = write_run(tmp_path / "run", made)
    first, second = made[0].message.id, made[1].message.id
    subject = open_subject(folder)
    with ReviewStore(folder) as reviews:
        index = Index(reviews, subject.run, EffectItems())
        index.start()
        index.join()
        assert index.is_whole
        said(
            reviews,
            "Ann",
            "rank",
            **{first: order((0,), (1,), (2,), (3,)), second: order((1,), (0,), (2, 3))},
        )
        said(reviews, "Bo", "rank", **{first: RankAnswer(candidates_id="c", skipped=True)})
        rows = agreement(reviews, "rank", block=1).rows
        said(
            reviews, "Cy", "compare", **{first: CompareAnswer(candidates_id="c", left=0, right=1, share=0.0)}
        )
        said(
            reviews, "Di", "compare", **{first: CompareAnswer(candidates_id="c", left=0, right=1, share=0.5)}
        )
        compared = agreement(reviews, "compare", block=1).rows
    subject.close()
    assert (rows[0].judge, rows[0].num_judged) == (pytest.approx(10 / 11), 11)
    assert (rows[1].judge, rows[1].num_skipped) == (None, 1)
    assert [row.judge for row in compared] == [0.0, None]


def test_guesses_and_verdicts_agree_as_names_do(tmp_path: Path) -> None:
    with ReviewStore(tmp_path) as reviews:
        for name, right in (("Ann", True), ("Bo", False)):
            said(
                reviews,
                name,
                "effect",
                e=EffectAnswer(is_right=True, overdone=False),
                f=EffectAnswer(is_right=right, overdone=True),
            )
            said(
                reviews,
                name,
                "check",
                **{
                    "message:m": CheckAnswer(verdict="approve"),
                    "message:n": CheckAnswer(verdict="veto"),
                    "message:o": CheckAnswer(),
                },
            )
        effect, check = agreement(reviews, "effect", block=1), agreement(reviews, "check")
    assert [row.judge for row in effect.rows] == [1.0, 0.5]
    assert effect.alpha is not None
    assert 0 < effect.alpha < 1
    assert check.alpha == 1.0
    assert check.num_shared == 2


def test_one_reviewer_alone_agrees_with_nobody(tmp_path: Path) -> None:
    with ReviewStore(tmp_path) as reviews:
        assert agreement(reviews, "rank").rows == []
        said(reviews, "Ann", "rank", m=order((0,), (1,)))
        assert agreement(reviews, "rank").alpha is None


def test_agreement_with_the_judge_moves_by_blocks_so_that_no_single_answer_is_told(tmp_path: Path) -> None:
    with ReviewStore(tmp_path) as reviews:
        for number in range(2 * BLOCK - 1):
            said(
                reviews,
                "Ann",
                "effect",
                **{f"e{number}": EffectAnswer(is_right=number % 2 == 0, overdone=False)},
            )
            (row,) = agreement(reviews, "effect").rows
            assert row.num_judged == (BLOCK if number + 1 >= BLOCK else 0)
            assert row.judge == (pytest.approx(3 / 5) if number + 1 >= BLOCK else None)
