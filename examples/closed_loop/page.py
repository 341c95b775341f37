"""The closed loop as a page: what was to be shown, what moved, the judges, a planted bias, replies, cost."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from character.locale import Language
from character.report import Example, Examples, Note, Notes, Number, Page, Section, Table, Text
from character.report.charts import Point, dots
from character.report.parts import NumberStyle
from character.report.wording import number_text
from character.statistics.intervals import Interval
from closed_loop.measured import EffectReport, Shift
from closed_loop.results import Bar, Judged, LoopResults

WORDS: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("page_words.toml").read_text(encoding="utf-8")
)
"""The fixed words of the page, by language."""
_CHARTED = ("patience", "humour", "on topic", "well formed")
StepCosts = Sequence[tuple[str, float, float, float]]


def loop_page(found: LoopResults, costs: StepCosts = (), *, language: Language = "en") -> Page:
    """Return the page of a loop. ``costs`` are (step, seconds, CPU seconds, peak MiB)."""
    words = WORDS[language]
    sections = [_shown(found, words, language), _moved(found, words), _judges(found, words)]
    if "biased" in found.judged:
        sections.append(_bias(found, words))
    sections.append(_replies(found, words))
    if costs:
        sections.append(_took(costs, words))
    return Page(
        title=words["title"],
        subtitle=words["subtitle"].format(parameters=found.num_parameters, seed=found.config.seed),
        sections=tuple(sections),
        language=language,
    )


def _shown(found: LoopResults, words: dict[str, str], language: Language) -> Section:
    notes = [_bar(bar, words, language) for bar in found.bars]
    notes += [Note(words["proves"]), Note(words["proves_not"])]
    text = words["shown_text"].format(messages=found.num_messages, held_out=found.num_held_out)
    return Section(words["shown"], text, (Notes(tuple(notes)),))


def _bar(bar: Bar, words: dict[str, str], language: Language) -> Note:
    said = words[f"bar_{bar.code}"].format(
        shift=number_text(Number(bar.shift, bar.low, bar.high, "signed"), language),
        bound=number_text(Number(bar.bound), language),
        language=bar.language,
        warned=words["warned_yes" if bar.warned else "warned_no"],
        accuracy=number_text(Number(bar.accuracy, style="share"), language),
    )
    return Note(words["met" if bar.met else "missed"].format(said), "fine" if bar.met else "look")


def name_of(training: str, words: dict[str, str]) -> str:
    """Return how a training is called on the page: its method and whose pairs or rewards it had."""
    method, _, judge = training.partition("-")
    return f"{words[method]}, {words[judge]}"


def _moved(found: LoopResults, words: dict[str, str]) -> Section:
    points = [
        Point(words[name], shift.shift, shift.low, shift.high, name_of(training, words))
        for name in _CHARTED
        for training, effect in found.effects.items()
        for shift in [effect.shift(name)]
    ]
    chart = dots(
        words["moved"],
        points,
        names=(words["measure"], words["shift"], words["tuning"]),
        reference=0.0,
        description=words["moved_text"],
    )
    main = found.effects["dpo-judge"]
    tables = [_table(name_of(training, words), effect, words) for training, effect in found.effects.items()]
    return Section(words["moved"], words["moved_text"], (chart, _by_language(main, words), *tables))


def _by_language(effect: EffectReport, words: dict[str, str]) -> Table:
    rows = tuple(
        (name, *_cells(effect.shift("patience", name)), effect.shift("patience", name).num_messages)
        for name in sorted(effect.by_language)
    )
    head = (words["language"], words["before"], words["after"], words["shift"], words["message"])
    return Table(head, rows, caption=f"{words['by_language']}: {name_of(effect.tuned, words)}")


def _table(caption: str, effect: EffectReport, words: dict[str, str]) -> Table:
    rows = tuple((words[shift.name], *_cells(shift)) for shift in effect.shifts)
    return Table((words["measure"], words["before"], words["after"], words["shift"]), rows, caption=caption)


def _cells(shift: Shift) -> tuple[Number, Number, Number]:
    digits = 2 if shift.is_share else 1
    style: NumberStyle = "share" if shift.is_share else "number"
    return (
        Number(shift.base, style=style, digits=digits),
        Number(shift.tuned, style=style, digits=digits),
        Number(shift.shift, shift.low, shift.high, "signed", digits),
    )


def _judges(found: LoopResults, words: dict[str, str]) -> Section:
    head = ("judge_column", "agreement", "pairs", "truly", "trained", "reward", "reward_truth")
    rows = tuple(
        (
            words[judge],
            _share(one.agreement),
            one.num_pairs,
            Number(one.truly_better, style="share"),
            one.num_trained,
            _share(one.reward_accuracy),
            _share(one.reward_accuracy_by_truth),
        )
        for judge, one in found.judged.items()
    )
    return Section(words["judges"], words["judges_text"], (Table(tuple(words[name] for name in head), rows),))


def _share(interval: Interval | None) -> Number | None:
    return interval and Number(*interval, "share")


def _bias(found: LoopResults, words: dict[str, str]) -> Section:
    head = ("judge_column", "reward", "humour_sides", "warned", "humour")
    rows = tuple(
        (
            words[judge],
            _share(one.reward_accuracy),
            _sides(one),
            words["yes" if one.warned_of_humour else "no"],
            _cells(found.effects[f"dpo-{judge}"].shift("humour"))[2],
        )
        for judge, one in found.judged.items()
    )
    return Section(words["bias"], words["bias_text"], (Table(tuple(words[name] for name in head), rows),))


def _sides(judged: Judged) -> str:
    humour = judged.humour
    return f"{humour.numbers['chosen']:.0%} / {humour.numbers['rejected']:.0%}" if humour else "–"


def _replies(found: LoopResults, words: dict[str, str]) -> Section:
    items = tuple(
        Example(
            sample["message"],
            tuple(
                Text(words["base"] if name == "base" else name_of(name, words), text)
                for name, text in sample.items()
                if name != "message"
            ),
        )
        for sample in found.samples
    )
    return Section(words["replies"], words["replies_text"], (Examples(words["replies"], items, num_open=2),))


def _took(costs: StepCosts, words: dict[str, str]) -> Section:
    rows: list[tuple[str, Number, Number, Number]] = [
        (name, *(Number(value, digits=0) for value in (seconds, cpu, peak)))  # type: ignore[misc]  # three values
        for name, seconds, cpu, peak in costs
    ]
    total = Number(sum(cpu for _, _, cpu, _ in costs), digits=0)
    peak = Number(max(peak for *_, peak in costs), digits=0)
    table = Table(
        (words["step"], words["seconds"], words["cpu"], words["memory"]),
        (*rows, (words["all"], Number(None), total, peak)),
    )
    return Section(words["took"], "", (table,))
