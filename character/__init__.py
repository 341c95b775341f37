"""Character: Anthropic's recipe for character training as one DSPy program.

Names are loaded on first use, so importing the package costs next to nothing; ``dspy`` and the rest come in
with the first name that needs them. The imports below are for type checkers, and say where each name lives.
"""

from __future__ import annotations

import ast
import os
import sys
import warnings
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from character._own import own_name, settle
from character._version import __version__

# DSPy and LiteLLM would else fetch a price list from the web on first use.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

if TYPE_CHECKING:
    from character.audit.audit import AuditResult as AuditResult
    from character.audit.audit import audit_run as audit_run
    from character.audit.records import AuditFinding as AuditFinding
    from character.audit.records import RunAudit as RunAudit
    from character.backends import build_lm as build_lm
    from character.backends import build_lms as build_lms
    from character.backends.measuring import Estimate as Estimate
    from character.backends.probing import Probe as Probe
    from character.backends.probing import probe as probe
    from character.config import AuditConfig as AuditConfig
    from character.config import BackendConfig as BackendConfig
    from character.config import BudgetConfig as BudgetConfig
    from character.config import Config as Config
    from character.config import ConfigSource as ConfigSource
    from character.config import EffectConfig as EffectConfig
    from character.config import MessagesConfig as MessagesConfig
    from character.config import OptimizeConfig as OptimizeConfig
    from character.config import PairsConfig as PairsConfig
    from character.config import RankingConfig as RankingConfig
    from character.config import ResponsesConfig as ResponsesConfig
    from character.config import StoreConfig as StoreConfig
    from character.config import TrainConfig as TrainConfig
    from character.config import load_config as load_config
    from character.constitution import Constitution as Constitution
    from character.constitution import Finding as Finding
    from character.constitution import Trait as Trait
    from character.constitution import lint_constitution as lint_constitution
    from character.constitution import load_constitution as load_constitution
    from character.errors import BackendUnavailableError as BackendUnavailableError
    from character.errors import BudgetReachedError as BudgetReachedError
    from character.errors import CharacterError as CharacterError
    from character.errors import ConfigError as ConfigError
    from character.errors import ConstitutionError as ConstitutionError
    from character.errors import InputError as InputError
    from character.errors import InvalidReplyError as InvalidReplyError
    from character.errors import MessagesError as MessagesError
    from character.errors import MissingExtraError as MissingExtraError
    from character.errors import ModelFileError as ModelFileError
    from character.errors import StoreError as StoreError
    from character.errors import UnknownNameError as UnknownNameError
    from character.evaluation.choices.chooser import TraitChooser as TraitChooser
    from character.evaluation.compare import EffectComparison as EffectComparison
    from character.evaluation.compare import compare as compare
    from character.evaluation.effect import aeffect as aeffect
    from character.evaluation.effect import effect as effect
    from character.evaluation.effect import estimate_effect as estimate_effect
    from character.evaluation.judges.coherence import CoherenceJudge as CoherenceJudge
    from character.evaluation.judges.degrees import Gauge as Gauge
    from character.evaluation.judges.responder import CharacterResponder as CharacterResponder
    from character.evaluation.preference_judge import PreferenceJudge as PreferenceJudge
    from character.evaluation.reading import EffectResult as EffectResult
    from character.evaluation.records import EffectReport as EffectReport
    from character.exports import ExportData as ExportData
    from character.exports import ExportReport as ExportReport
    from character.exports import Split as Split
    from character.exports import StoredRun as StoredRun
    from character.exports import export as export
    from character.exports import open_run as open_run
    from character.exports import push_to_hub as push_to_hub
    from character.exports import run_data as run_data
    from character.messages.files import MessageFile as MessageFile
    from character.messages.files import MessageSource as MessageSource
    from character.messages.files import load_messages as load_messages
    from character.messages.generator import MessageGenerator as MessageGenerator
    from character.pairs.designs import build_pairs as build_pairs
    from character.preference import load_preference_model as load_preference_model
    from character.preference import preference_model as preference_model
    from character.preference.best_of import BestOfCharacter as BestOfCharacter
    from character.preference.evaluation import evaluate_preference as evaluate_preference
    from character.preference.evaluation_records import PreferenceEvaluation as PreferenceEvaluation
    from character.preference.explain import Why as Why
    from character.preference.explain import explain_preference as explain_preference
    from character.preference.protocol import Judged as Judged
    from character.preference.protocol import PreferenceModel as PreferenceModel
    from character.preference.sources import PairSet as PairSet
    from character.preference.sources import read_pairs as read_pairs
    from character.program import CharacterProgram as CharacterProgram
    from character.protocols import GeneratorStep as GeneratorStep
    from character.protocols import JudgeStep as JudgeStep
    from character.protocols import LanguageModel as LanguageModel
    from character.protocols import RankerStep as RankerStep
    from character.protocols import ResponderStep as ResponderStep
    from character.ranking.ranker import Ranker as Ranker
    from character.records import Candidate as Candidate
    from character.records import Candidates as Candidates
    from character.records import CharacterResult as CharacterResult
    from character.records import Drop as Drop
    from character.records import Message as Message
    from character.records import MessageBatch as MessageBatch
    from character.records import PreferencePair as PreferencePair
    from character.records import Ranking as Ranking
    from character.records import RankingPass as RankingPass
    from character.records import Rollout as Rollout
    from character.records import Turn as Turn
    from character.records import Usage as Usage
    from character.responses.responder import Responder as Responder
    from character.review.labelling import labelled_from_run as labelled_from_run
    from character.review.serving import serve_review as serve_review
    from character.runs.progress import RunState as RunState
    from character.runs.run import arun as arun
    from character.runs.run import run as run
    from character.runs.summary import RunSummary as RunSummary
    from character.runs.summary import summarize as summarize
    from character.store.calls import StoredCall as StoredCall
    from character.store.run_store import RunStore as RunStore
    from character.training.train import TrainResult as TrainResult
    from character.training.train import train as train
    from character.tuning.evaluate_ranker import RankerFigures as RankerFigures
    from character.tuning.evaluate_ranker import evaluate_ranker as evaluate_ranker
    from character.tuning.optimize import Optimized as Optimized
    from character.tuning.optimize import aoptimize as aoptimize
    from character.tuning.optimize import optimize as optimize
    from character.tuning.optimize import optimize_ranker as optimize_ranker
    from optimizers.errors import ArtifactError as ArtifactError
    from optimizers.errors import LabelledError as LabelledError
    from optimizers.errors import OptimizerError as OptimizerError
    from optimizers.labelled import LabelledSet as LabelledSet
    from optimizers.labelled import read_labelled as read_labelled
    from optimizers.optimize import OptimizationResult as OptimizationResult

_MOVED = {
    "character.audit.overview": "character.audit.audit",
    "character.preference.validation": "character.preference.evaluation",
    "character.preference.why": "character.preference.explain",
    "character.program_metrics": "character.tuning.program_metrics",
}
"""Modules by the paths that documentation named before: they work in this version, with a warning."""


def _homes() -> dict[str, tuple[str, str]]:
    """Return the module and the name there of every public name, as the imports for type checkers say."""
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name: (str(node.module), alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


_HOME_OF = _homes()
__all__ = [*_HOME_OF, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'character' has no attribute {name!r}")
    home, name_there = _HOME_OF[name]
    value = getattr(import_module(own_name(home)), name_there)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _MovedModules(MetaPathFinder, Loader):
    """Finds a module by the path it had in the version before, and warns."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return where a moved module is, None for every other."""
        return ModuleSpec(fullname, self) if fullname in _MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module from its new place."""
        new = _MOVED[spec.name]
        warnings.warn(f"{spec.name} is now {new}", DeprecationWarning, stacklevel=2)
        return import_module(new)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module was executed where it lies."""


sys.meta_path.append(_MovedModules())
settle()
