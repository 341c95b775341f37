"""One configuration object: a TOML file, flags and Python all make the same frozen model."""

from character.config.backend import BackendConfig as BackendConfig
from character.config.backend import is_rehearsal_model as is_rehearsal_model
from character.config.loading import ConfigSource as ConfigSource
from character.config.loading import as_config as as_config
from character.config.loading import build_config as build_config
from character.config.loading import load_config as load_config
from character.config.loading import with_section as with_section
from character.config.section import ConfigSection as ConfigSection
from character.config.section import describe_validation as describe_validation
from character.config.sections import AuditConfig as AuditConfig
from character.config.sections import EffectConfig as EffectConfig
from character.config.sections import EffectDesign as EffectDesign
from character.config.sections import OptimizeConfig as OptimizeConfig
from character.config.sections import TrainConfig as TrainConfig
from character.config.steps import LEAST_CANDIDATES as LEAST_CANDIDATES
from character.config.steps import MAX_PASSES as MAX_PASSES
from character.config.steps import PAIR_DESIGNS as PAIR_DESIGNS
from character.config.steps import BudgetConfig as BudgetConfig
from character.config.steps import MessagesConfig as MessagesConfig
from character.config.steps import PairDesign as PairDesign
from character.config.steps import PairsConfig as PairsConfig
from character.config.steps import RankingConfig as RankingConfig
from character.config.steps import ResponsesConfig as ResponsesConfig
from character.config.steps import StoreConfig as StoreConfig
from character.config.whole import COMPARED as COMPARED
from character.config.whole import Config as Config
