"""One configuration object: a TOML file, flags and Python all make the same frozen model."""

from character.config.backend import BackendConfig, is_rehearsal_model
from character.config.loading import as_config, build_config, load_config, with_section
from character.config.section import ConfigSection, describe_validation
from character.config.sections import AuditConfig, EffectConfig, EffectDesign, OptimizeConfig, TrainConfig
from character.config.steps import (
    LEAST_CANDIDATES,
    MAX_PASSES,
    PAIR_DESIGNS,
    BudgetConfig,
    MessagesConfig,
    PairDesign,
    PairsConfig,
    RankingConfig,
    ResponsesConfig,
    StoreConfig,
)
from character.config.whole import COMPARED, Config

__all__ = [
    "COMPARED",
    "LEAST_CANDIDATES",
    "MAX_PASSES",
    "PAIR_DESIGNS",
    "AuditConfig",
    "BackendConfig",
    "BudgetConfig",
    "Config",
    "ConfigSection",
    "EffectConfig",
    "EffectDesign",
    "MessagesConfig",
    "OptimizeConfig",
    "PairDesign",
    "PairsConfig",
    "RankingConfig",
    "ResponsesConfig",
    "StoreConfig",
    "TrainConfig",
    "as_config",
    "build_config",
    "describe_validation",
    "is_rehearsal_model",
    "load_config",
    "with_section",
]
