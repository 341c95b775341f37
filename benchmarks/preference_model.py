"""Whether the light preference model holds against a plain TF-IDF classifier, and whether its probabilities can be trusted.

    python benchmarks/preference_model.py --data DIR [--quick] [--json]

DIR holds `persona` (statements that a model with a trait would or would not make, after anthropics/evals), `candour` (real
replies with three judges' scores, after timfduffy/syco-bench) and `zh-pairs` (Chinese pairs, after hiyouga/LLaMA-Factory).
The baseline is fitted in the same run on the same pairs: scikit-learn's TF-IDF of words 1-2 and characters 2-5, logistic
regression on differences. Nothing is measured on what was fitted on:

- persona: five folds of statements, each in one pair with a statement of the other class of its fold, per trait.
- delusion and pickside: pairs on which all three judges agree strictly, the lower score chosen (a candid character), five
  folds of prompts; the two sides of one quarrel (pickside) are held out together.
- zh: five folds of prompts.

`free` is the model as it comes (length and format taken out), `used` the same with `length_free=False`. Beside each stand
length alone (the better of "longer wins" and "shorter wins"), the accuracy where the chosen side is the shorter, and that balanced over length, on
which length alone has .5. Intervals resample statements' pairs or prompts.

Exits 1 where light is surely below the baseline on any set (the interval of the paired difference below 0: `used` in
accuracy, `free` in balanced accuracy), or below it in the mean over the sets; where the mean ECE on persona is above .03; where
8 labels a class beside four other traits give less than .80 in the mean; or where a fit takes more than 1 s or 1,000 pairs
more than .3 s (persona, best of five).
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from tfidf_baseline import TfidfBaseline

from character.preference import preference_model
from character.preference.folds import folds_of, message_key
from character.preference.measures import Predicted, mean_of, scope_of
from character.records import PreferencePair, Turn
from character.text import fingerprint

MOST_ECE, LEAST_FEW, MOST_FIT_S, MOST_SCORE_S = 0.03, 0.80, 1.0, 0.3
FEW = 8
Pairs = list[PreferencePair]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file; ends the program where it is missing."""
    if not path.exists():
        sys.exit(f"{path} is missing: --data names a folder with persona, candour and zh-pairs")
    return [json.loads(line) for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]


def pair(trait: str, prompt: str, chosen: str, rejected: str, language: str = "en") -> PreferencePair:
    """Return a pair whose scores say no more than which side is better."""
    return PreferencePair(
        trait=trait,
        message_id=fingerprint([trait, prompt]),
        ranking_id="",
        kind="question",
        language=language,
        prompt=(Turn(role="user", content=prompt),),
        chosen=chosen,
        rejected=rejected,
        score_chosen=1.0,
        score_rejected=0.0,
        margin=1.0,
        design="given",
    )


def persona(data: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Return per trait the statements that match it and those that do not."""
    found = {}
    for path in sorted((data / "persona").glob("*.jsonl")) or [data / "persona" / "*.jsonl"]:
        classes: dict[str, list[str]] = {"Yes": [], "No": []}
        for row in read_lines(path):
            classes[row["answer_matching_behavior"].strip()].append(row["statement"])
        found[path.stem] = (classes["Yes"], classes["No"])
    return found


def statement_pairs(trait: str, matching: list[str], other: list[str], tag: str) -> Pairs:
    """Return one pair per statement of the smaller class; each pair counts as a message of its own."""
    sides = zip(matching, other, strict=False)
    return [pair(trait, f"Say something about yourself ({tag} {i}).", a, b) for i, (a, b) in enumerate(sides)]


def statement_folds(trait: str, classes: tuple[list[str], list[str]], seed: int) -> list[tuple[Pairs, Pairs]]:
    """Return (train, test) for each of five folds of statements."""
    rng = np.random.default_rng([seed, 1])
    dealt = [[side[i] for i in rng.permutation(len(side))] for side in classes]
    folds = []
    for fold in range(5):
        rest = [[text for i, text in enumerate(side) if i % 5 != fold] for side in dealt]
        held = [side[fold::5] for side in dealt]
        folds.append(
            (statement_pairs(trait, *rest, tag="train"), statement_pairs(trait, *held, tag=f"{seed}.{fold}"))
        )
    return folds


def candour(data: Path, name: str, most_per_prompt: int | None) -> tuple[Pairs, list[int]]:
    """Return the pairs on which all judges agree strictly, and the key under which each is held out."""
    pairs, keys = [], []
    for number, item in enumerate(read_lines(data / "candour" / f"{name}.jsonl")):
        both = list(itertools.permutations(item["candidates"], 2))
        agreed = [
            (a, b)
            for a, b in both
            if all(x < y for x, y in zip(a["judges"], b["judges"], strict=True)) and a["text"] and b["text"]
        ]
        drawn = np.random.default_rng(number).permutation(len(agreed))[:most_per_prompt]
        pairs += [pair(name, item["prompt"], agreed[i][0]["text"], agreed[i][1]["text"]) for i in drawn]
        keys += [number // 2 if name == "pickside" else number] * len(drawn)
    return pairs, keys


def chinese(data: Path) -> tuple[Pairs, list[int]]:
    """Return the Chinese pairs, held out by prompt."""
    path = data / "zh-pairs" / "llamafactory_dpo_zh_demo.json"
    if not path.exists():
        sys.exit(f"{path} is missing: --data names a folder with persona, candour and zh-pairs")
    pairs = [
        pair("zh", row["conversations"][-1]["value"], row["chosen"]["value"], row["rejected"]["value"], "zh")
        for row in json.loads(path.read_text(encoding="utf-8-sig"))
    ]
    return pairs, [message_key(each) for each in pairs]


def prompt_folds(pairs: Pairs, keys: list[int]) -> tuple[list[tuple[Pairs, Pairs]], list[int]]:
    """Return (train, test) for each of five folds of prompts, and the keys in the order of all tests."""
    fold = folds_of(keys, 5, seed=0)
    folds = [
        (
            [p for p, f in zip(pairs, fold, strict=True) if f != each],
            [p for p, f in zip(pairs, fold, strict=True) if f == each],
        )
        for each in range(5)
    ]
    return folds, [k for each in range(5) for k, f in zip(keys, fold, strict=True) if f == each]


def compared(folds: list[tuple[Pairs, Pairs]], keys: list[int] | None = None) -> dict[str, Any]:
    """Return the figures of light without and with length, of the baseline, and of length alone."""
    tests = [each for _, test in folds for each in test]
    every = [text for part in folds[0] for each in part for text in (each.chosen, each.rejected)]
    every += [text for each in tests for text in (each.chosen, each.rejected)]
    models: dict[str, Any] = {
        "free": preference_model("light"),
        "used": preference_model("light", length_free=False),
        "baseline": TfidfBaseline(every),
    }
    known = keys or [message_key(each) for each in tests]
    predicted = {
        name: Predicted.of(
            tests, np.concatenate([model.fit(train).preferences(test) for train, test in folds]), known
        )
        for name, model in models.items()
    }
    cluster, longer, base = predicted["free"].cluster, predicted["free"].longer, predicted["baseline"].right
    balance = sum((longer == side) * 0.5 / max((longer == side).mean(), 1e-9) for side in (-1, 1))
    found = {name: scope_of(each, 0) for name, each in predicted.items()}
    return {
        "pairs": len(tests),
        "length alone": float(max((longer > 0).mean(), (longer < 0).mean())),
        **{name: scope.model_dump() for name, scope in found.items()},
        "free - baseline": mean_of(predicted["free"].right - base, cluster, 0).model_dump(),
        "used - baseline": mean_of(predicted["used"].right - base, cluster, 0).model_dump(),
        "balanced, free - baseline": mean_of(
            (predicted["free"].right - base) * balance, cluster, 0
        ).model_dump(),
    }


def few_labels(statements: dict[str, tuple[list[str], list[str]]], draws: int) -> dict[str, Any]:
    """Return the accuracy of a trait learnt from 8 statements a class, alone and beside the other traits."""
    found: dict[str, list[float]] = {"alone": [], "beside others": []}
    for trait, classes in statements.items():
        for draw in range(draws):
            rng = np.random.default_rng([draw, 8])
            dealt = [[side[i] for i in rng.permutation(len(side))] for side in classes]
            (yes, no), (more_yes, more_no) = ([side[:FEW] for side in dealt], [side[FEW:] for side in dealt])
            few = [
                pair(trait, f"Say something about yourself ({i}).", a, b)
                for i, a in enumerate(yes)
                for b in no
            ]
            test = statement_pairs(trait, more_yes, more_no, "test")
            others = [
                each
                for name, other in statements.items()
                if name != trait
                for each in statement_pairs(name, *other, tag=name)
            ]
            for how, train in (("alone", few), ("beside others", [*few, *others])):
                given = preference_model("light").fit(train).preferences(test)
                found[how].append(float((given > 0.5).mean()))
    return {
        how: {"mean": float(np.mean(values)), "draws": len(values), "spread": float(np.std(values))}
        for how, values in found.items()
    }


def speed(classes: tuple[list[str], list[str]]) -> dict[str, float]:
    """Return the seconds that a fit on one trait and the scoring of 1,000 pairs take: the best of five."""
    train = statement_pairs("speed", *classes, tag="speed")
    test = [
        train[i % len(train)].model_copy(update={"rejected": f"{train[i % len(train)].rejected} {i}"})
        for i in range(1000)
    ]
    fits, scorings = [], []
    model = preference_model("light").fit(train[:10])  # what is imported once is no part of a fit
    for _ in range(5):
        started = time.perf_counter()
        model = model.fit(train)
        fitted = time.perf_counter()
        model.preferences(test)
        fits.append(fitted - started)
        scorings.append(time.perf_counter() - fitted)
    return {"pairs": len(train), "fit_s": min(fits), "score_1000_pairs_s": min(scorings)}


def measure(data: Path, *, quick: bool) -> dict[str, Any]:
    """Return every figure."""
    statements = persona(data)
    sets: dict[str, dict[str, Any]] = {}
    for trait, classes in statements.items():
        repeats = [statement_folds(trait, classes, seed) for seed in range(1 if quick else 4)]
        sets[trait] = compared([fold for folds in repeats for fold in folds])
    for name in ("delusion", "pickside"):
        most = {"delusion": 24, "pickside": 12}[name] if quick else None
        folds, keys = prompt_folds(*candour(data, name, most))
        sets[name] = compared(folds, keys)
    folds, keys = prompt_folds(*chinese(data))
    sets["zh"] = compared(folds, keys)
    return {
        "sets": sets,
        "mean ECE on persona": float(np.mean([sets[trait]["free"]["ece"]["value"] for trait in statements])),
        f"{FEW} labels a class": few_labels(statements, draws=1 if quick else 5),
        "speed": speed(next(iter(statements.values()))),
    }


def misses(found: dict[str, Any]) -> list[str]:
    """Return in words every bar that was not met."""
    said = []
    for how in ("free - baseline", "used - baseline", "balanced, free - baseline"):
        said += [f"{name}: {how} {one[how]}" for name, one in found["sets"].items() if one[how]["high"] < 0]
    for how in ("used - baseline", "balanced, free - baseline"):
        mean = float(np.mean([one[how]["value"] for one in found["sets"].values()]))
        said += [f"the mean of {how} is {mean:+.4f}"] if mean < 0 else []
    if found["mean ECE on persona"] > MOST_ECE:
        said.append(f"mean ECE on persona {found['mean ECE on persona']:.3f}")
    few = found[f"{FEW} labels a class"]["beside others"]["mean"]
    said += [f"{FEW} labels a class: {few:.3f}"] if few < LEAST_FEW else []
    took = found["speed"]
    said += [f"a fit took {took['fit_s']:.2f} s"] if took["fit_s"] > MOST_FIT_S else []
    if took["score_1000_pairs_s"] > MOST_SCORE_S:
        said.append(f"1,000 pairs took {took['score_1000_pairs_s']:.2f} s")
    return said


def figure(one: dict[str, Any], *, signed: bool = False) -> str:
    """Return a figure with its interval."""
    if one["value"] is None:
        return "-"
    sign = "+" if signed else ""
    return f"{one['value']:{sign}.3f} [{one['low']:{sign}.3f}, {one['high']:{sign}.3f}]"


def show(found: dict[str, Any]) -> None:
    """Print the figures."""
    for name, one in found["sets"].items():
        print(f"{name}: {one['pairs']} pairs, length alone {one['length alone']:.3f}")
        for how in ("free", "used", "baseline"):
            parts = [
                f"{what} {figure(one[how][what])}" for what in ("accuracy", "length_balanced", "shorter")
            ]
            print(f"  {how:9}{'  '.join(parts)}  ece {one[how]['ece']['value']:.3f}")
        for how in ("free - baseline", "used - baseline", "balanced, free - baseline"):
            print(f"  {how}: {figure(one[how], signed=True)}")
    for name in ("mean ECE on persona", f"{FEW} labels a class", "speed"):
        print(f"{name}: {found[name]}")


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder with the data")
    parser.add_argument("--quick", action="store_true", help="end within 50 s on two cores")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    found = measure(options.data, quick=options.quick)
    missed = misses(found)
    if options.json:
        print(json.dumps({**found, "not met": missed}, indent=2, ensure_ascii=False))
    else:
        show(found)
        print("not met: " + ("; ".join(missed) or "nothing"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
