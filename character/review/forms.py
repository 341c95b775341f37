"""From a submitted form to answers: what is missing or was tampered with is refused, never guessed."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from character.errors import InputError
from character.review.answers import (
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
    """Return the whole number, at least 0, that a text of a form or an address says, None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else None


def answers_of(shown: Shown, form: Form) -> dict[str, Answer]:
    """Return the answers that a form gives to an item, by the names under which they are kept.

    Raises IncompleteError where something is left open, InputError for values the page does not offer.
    """
    action = form.get("action", "submit")
    if action not in ("submit", "skip", "unsuitable", "left", "tie", "right"):
        raise _tampered("action")
    reader = {"rank": _rank, "compare": _compare, "effect": _effect, "check": _check, "sign": _sign}[
        shown.task
    ]
    return reader(shown, form, action)


def _rank(shown: Shown, form: Form, action: str) -> dict[str, Answer]:
    if action in ("skip", "unsuitable"):
        return {
            shown.item: RankAnswer(
                candidates_id=shown.candidates_id, skipped=action == "skip", unsuitable=action == "unsuitable"
            )
        }
    number = len(shown.options)
    groups: dict[int, list[int]] = {}
    missing = ""
    for option in shown.options:
        text = form.get(f"rank-{option.letter}", "")
        rank = number_of(text)
        if not text:
            missing += option.letter
        elif rank and rank <= number:
            groups.setdefault(rank, []).append(option.number)
        else:
            raise _tampered(f"rank-{option.letter}")
    if missing:
        raise IncompleteError("no_rank", missing)
    order = tuple(tuple(sorted(groups[rank])) for rank in sorted(groups))
    return {shown.item: RankAnswer(candidates_id=shown.candidates_id, order=order)}


def _compare(shown: Shown, form: Form, action: str) -> dict[str, Answer]:
    first, second = (option.number for option in shown.options)
    left, right = min(first, second), max(first, second)
    share = None
    if action != "skip":
        if action not in ("left", "tie", "right"):
            raise IncompleteError("no_choice")
        chosen = {"left": 1.0, "tie": 0.5, "right": 0.0}[action]
        share = chosen if first == left else 1.0 - chosen
    return {
        shown.item: CompareAnswer(
            candidates_id=shown.candidates_id, left=left, right=right, share=share, skipped=share is None
        )
    }


def _effect(shown: Shown, form: Form, action: str) -> dict[str, Answer]:
    if action == "skip":
        return {shown.item: EffectAnswer(skipped=True)}
    guess, overdone = form.get("guess", ""), form.get("overdone", "")
    if not guess or not overdone:
        raise IncompleteError("no_guess" if not guess else "no_overdone")
    chosen = {option.letter: option.number == 0 for option in shown.options} | {"none": None}
    if guess not in chosen or overdone not in ("yes", "no"):
        raise _tampered("guess" if guess not in chosen else "overdone")
    return {shown.item: EffectAnswer(is_right=chosen[guess], overdone=overdone == "yes")}


def _sign(shown: Shown, form: Form, action: str) -> dict[str, Answer]:
    if action == "skip":
        return {shown.item: SignAnswer(skipped=True)}
    sign, note = form.get("sign", ""), form.get("note", "").strip()
    if sign not in ("yes", "no", ""):
        raise _tampered("sign")
    if len(note) > MOST_NOTE:
        raise IncompleteError("long_note")
    if not sign or (sign == "no" and not note):
        raise IncompleteError("no_reason" if sign else "no_sign")
    return {shown.item: SignAnswer(is_signed=sign == "yes", note=note)}


def _check(shown: Shown, form: Form, action: str) -> dict[str, Answer]:
    if action == "skip":
        return {shown.item: CheckAnswer(skipped=True)}
    found: dict[str, Answer] = {}
    for number, target in enumerate(shown.targets):
        verdict, note = form.get(f"verdict-{number}", ""), form.get(f"note-{number}", "").strip()
        if len(note) > MOST_NOTE:
            raise IncompleteError("long_note")
        try:
            said = CheckAnswer.model_validate({"verdict": verdict, "note": note})
        except ValidationError:
            raise _tampered(f"verdict-{number}") from None
        if target.key == shown.item or form.get(f"was-{number}") != said_stamp(verdict, note):
            found[target.key] = said
    return found


def _tampered(field: str) -> InputError:
    return InputError(f"the form's field {field!r} holds something that the page does not offer.")
