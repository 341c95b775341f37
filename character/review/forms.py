"""From a submitted form to answers: what is missing or was tampered with is refused, never guessed."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from character.errors import InputError
from character.review.answers import (
    ANSWERS,
    MOST_NOTE,
    Answer,
    CheckAnswer,
    CompareAnswer,
    EffectAnswer,
    RankAnswer,
    SignAnswer,
)
from character.review.items import Shown, said_stamp

Form = Mapping[str, str]


class IncompleteError(InputError):
    """A form that says too little to be an answer; ``key`` names the words that say what is missing."""

    def __init__(self, key: str, letters: str = "") -> None:
        self.key, self.letters = key, letters
        super().__init__(f"the form is incomplete: {key} {letters}".rstrip())


def number_of(text: str) -> int | None:
    """Return the whole number, at least 0, that a text of a form or an address says, None for others."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else None


def answers_of(shown: Shown, form: Form) -> dict[str, Answer]:
    """Return the answers that a form gives to an item, by the names under which they are kept.

    Raises IncompleteError where something is left open, InputError for values the page does not offer.
    """
    action = form.get("action", "submit")
    if action not in ("submit", "skip", "unsuitable", "left", "tie", "right"):
        raise _tampered("action")
    if shown.task == "rank":
        return {shown.item: _rank(shown, form, action)}
    if shown.task == "compare":
        return {shown.item: _compare(shown, action)}
    if action == "skip":
        return {shown.item: ANSWERS[shown.task](skipped=True)}
    if shown.task == "check":
        return _check(shown, form)
    return {shown.item: _effect(shown, form) if shown.task == "effect" else _sign(form)}


def _rank(shown: Shown, form: Form, action: str) -> RankAnswer:
    id_ = shown.candidates_id
    if action in ("skip", "unsuitable"):
        return RankAnswer(candidates_id=id_, skipped=action == "skip", unsuitable=action == "unsuitable")
    groups: dict[int, list[int]] = {}
    missing = ""
    for option in shown.options:
        text = form.get(f"rank-{option.letter}", "")
        rank = number_of(text)
        if not text:
            missing += option.letter
        elif rank and rank <= len(shown.options):
            groups.setdefault(rank, []).append(option.number)
        else:
            raise _tampered(f"rank-{option.letter}")
    if missing:
        raise IncompleteError("no_rank", missing)
    order = tuple(tuple(sorted(groups[rank])) for rank in sorted(groups))
    return RankAnswer(candidates_id=id_, order=order)


def _compare(shown: Shown, action: str) -> CompareAnswer:
    shares = {"left": 1.0, "tie": 0.5, "right": 0.0, "skip": None}
    if action not in shares:
        raise IncompleteError("no_choice")
    first, second = (option.number for option in shown.options)
    share = shares[action]
    if share is not None and first > second:
        share = 1.0 - share
    left, right = sorted((first, second))
    id_ = shown.candidates_id
    return CompareAnswer(candidates_id=id_, left=left, right=right, share=share, skipped=share is None)


def _effect(shown: Shown, form: Form) -> EffectAnswer:
    guess, overdone = form.get("guess", ""), form.get("overdone", "")
    if not guess or not overdone:
        raise IncompleteError("no_guess" if not guess else "no_overdone")
    chosen = {option.letter: option.number == 0 for option in shown.options} | {"none": None}
    if guess not in chosen or overdone not in ("yes", "no"):
        raise _tampered("guess" if guess not in chosen else "overdone")
    return EffectAnswer(is_right=chosen[guess], overdone=overdone == "yes")


def _sign(form: Form) -> SignAnswer:
    sign = form.get("sign", "")
    if sign not in ("yes", "no", ""):
        raise _tampered("sign")
    note = _note(form, "note")
    if not sign or (sign == "no" and not note):
        raise IncompleteError("no_reason" if sign else "no_sign")
    return SignAnswer(is_signed=sign == "yes", note=note)


def _check(shown: Shown, form: Form) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for number, target in enumerate(shown.targets):
        verdict, note = form.get(f"verdict-{number}", ""), _note(form, f"note-{number}")
        try:
            answer = CheckAnswer.model_validate({"verdict": verdict, "note": note})
        except ValidationError:
            raise _tampered(f"verdict-{number}") from None
        if target.key == shown.item or form.get(f"was-{number}") != said_stamp(verdict, note):
            answers[target.key] = answer
    return answers


def _note(form: Form, field: str) -> str:
    note = form.get(field, "").strip()
    if len(note) > MOST_NOTE:
        raise IncompleteError("long_note")
    return note


def _tampered(field: str) -> InputError:
    return InputError(f"the form's field {field!r} holds something that the page does not offer.")
