"""Character: Anthropic's recipe for character training as one DSPy program.

Names are loaded on first use, so importing the package costs next to nothing; ``dspy`` and the rest
come in with the first name that needs them.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from character._version import __version__

# DSPy and LiteLLM would else fetch a price list from the web on first use.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

if TYPE_CHECKING:
    from character.backends import build_lm, build_lms
    from character.config import BackendConfig, Config, load_config
    from character.constitution import Constitution, Trait, lint_constitution, load_constitution
    from character.evaluation.choices.chooser import TraitChooser
    from character.evaluation.compare import compare
    from character.evaluation.effect import effect, estimate_effect
    from character.evaluation.judges.coherence import CoherenceJudge
    from character.evaluation.judges.degrees import Gauge
    from character.evaluation.judges.responder import CharacterResponder
    from character.exports import export
    from character.messages.files import MessageFile, load_messages
    from character.messages.generator import MessageGenerator
    from character.pairs.designs import build_pairs
    from character.preference import load_preference_model, preference_model
    from character.preference.best_of import BestOfCharacter
    from character.preference.protocol import PreferenceModel
    from character.preference.sources import read_pairs
    from character.program import CharacterProgram
    from character.ranking.ranker import Ranker
    from character.records import (
        Candidate,
        Candidates,
        CharacterResult,
        Message,
        MessageBatch,
        PreferencePair,
        Ranking,
        Rollout,
    )
    from character.responses.responder import Responder
    from character.runs.run import arun, run
    from character.store.run_store import RunStore
    from character.tuning.optimize import optimize, optimize_ranker
    from optimizers.labelled import LabelledSet, read_labelled

_HOMES = {
    "character.backends": ("build_lm", "build_lms"),
    "character.config": ("BackendConfig", "Config", "load_config"),
    "character.constitution": ("Constitution", "Trait", "lint_constitution", "load_constitution"),
    "character.evaluation.choices.chooser": ("TraitChooser",),
    "character.evaluation.judges.coherence": ("CoherenceJudge",),
    "character.evaluation.compare": ("compare",),
    "character.evaluation.effect": ("effect", "estimate_effect"),
    "character.evaluation.judges.degrees": ("Gauge",),
    "character.evaluation.judges.responder": ("CharacterResponder",),
    "character.exports": ("export",),
    "character.messages.files": ("MessageFile", "load_messages"),
    "character.messages.generator": ("MessageGenerator",),
    "character.ranking.ranker": ("Ranker",),
    "character.responses.responder": ("Responder",),
    "character.tuning.optimize": ("optimize", "optimize_ranker"),
    "character.pairs.designs": ("build_pairs",),
    "character.preference": ("load_preference_model", "preference_model"),
    "character.preference.best_of": ("BestOfCharacter",),
    "character.preference.protocol": ("PreferenceModel",),
    "character.preference.sources": ("read_pairs",),
    "character.program": ("CharacterProgram",),
    "character.records": (
        "Candidate",
        "Candidates",
        "CharacterResult",
        "Message",
        "MessageBatch",
        "PreferencePair",
        "Ranking",
        "Rollout",
    ),
    "character.runs.run": ("arun", "run"),
    "character.store.run_store": ("RunStore",),
    "optimizers.labelled": ("LabelledSet", "read_labelled"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 - in the order of the recipe
    "Trait",
    "Constitution",
    "load_constitution",
    "lint_constitution",
    "Message",
    "MessageBatch",
    "MessageFile",
    "load_messages",
    "MessageGenerator",
    "Candidate",
    "Candidates",
    "Responder",
    "Ranking",
    "Ranker",
    "PreferencePair",
    "build_pairs",
    "read_pairs",
    "PreferenceModel",
    "preference_model",
    "load_preference_model",
    "BestOfCharacter",
    "effect",
    "estimate_effect",
    "compare",
    "CharacterResponder",
    "Gauge",
    "CoherenceJudge",
    "TraitChooser",
    "Rollout",
    "CharacterResult",
    "CharacterProgram",
    "LabelledSet",
    "read_labelled",
    "optimize",
    "optimize_ranker",
    "BackendConfig",
    "Config",
    "load_config",
    "build_lm",
    "build_lms",
    "RunStore",
    "run",
    "arun",
    "export",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'character' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _check_neighbours() -> None:
    """Raise one clear error where another package named ``signatures`` or ``optimizers`` hides ours."""
    home = Path(__file__).resolve().parent.parent
    for name in ("signatures", "optimizers"):
        spec = find_spec(name)
        found = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        if found != home:
            raise ImportError(
                f"the package {name!r} that Python finds is not the one that came with character: "
                f"found {spec.origin if spec else 'none'}, expected {home / name}. "
                f"Rename or uninstall the other package, or run from a folder that has no {name} of its own."
            )


_check_neighbours()
