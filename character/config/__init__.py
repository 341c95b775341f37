"""One configuration object: a TOML file, flags and Python all make the same frozen model."""

from character.config.backend import BACKEND_KINDS, BackendConfig, BackendKind, Section, is_rehearsal_model
from character.config.loading import build_config, describe_validation, load_config
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
from character.config.whole import ROLES, Config

__all__ = [
    "BACKEND_KINDS",
    "LEAST_CANDIDATES",
    "MAX_PASSES",
    "PAIR_DESIGNS",
    "ROLES",
    "BackendConfig",
    "BackendKind",
    "BudgetConfig",
    "Config",
    "MessagesConfig",
    "PairDesign",
    "PairsConfig",
    "RankingConfig",
    "ResponsesConfig",
    "Section",
    "StoreConfig",
    "build_config",
    "describe_validation",
    "is_rehearsal_model",
    "load_config",
]
