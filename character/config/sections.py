"""The sections of an evaluation, a tuned ranker, an audit and a trained model."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from character.config.section import ConfigSection

EffectDesign = Literal["traits", "models", "both"]
ReportLanguage = Literal["en", "zh"]


class EffectConfig(ConfigSection):
    """What is compared, and on how many messages (see ``effect``).

    ``design`` compares traits, the models ``base`` and ``tuned``, or both; without it models where those two
    are configured, else traits. ``judged`` False lets the ``preference`` model (its folder) stand in the
    judge's place. ``yardstick`` is the constitution in whose words traits are judged, ``held_out_from`` names
    runs whose messages are not generated again, ``language`` is the report's, by default the constitution's.
    """

    messages_per_trait: int = Field(default=16, ge=1)
    neutral_messages: int = Field(default=16, ge=0, le=16)
    pressed_messages: int = Field(default=0, ge=0)
    choices: int = Field(default=0, ge=0)
    design: EffectDesign | None = None
    judged: bool = True
    preference: str | None = None
    yardstick: str | None = None
    held_out_from: tuple[str, ...] = ()
    language: ReportLanguage | None = None


class OptimizeConfig(ConfigSection):
    """How a ranker is tuned, and how its gain is measured (see ``optimize``).

    ``budget`` is the most model calls; None is 25 for each labelled item, at least 600, and as many for each
    control. ``level`` is that of the intervals, ``controls`` counts runs on permuted labels. ``language`` is
    the report's, by default that of most labels.
    """

    strategy: str = "auto"
    budget: int | None = Field(default=None, ge=1)
    metric: str = "pairwise_accuracy"
    controls: int = Field(default=0, ge=0, le=100)
    level: float = Field(default=0.95, ge=0.5, le=0.999)
    uses_length: bool = True
    language: ReportLanguage | None = None


class AuditConfig(ConfigSection):
    """How a run is audited.

    ``language`` is that of the findings (by default the constitution's), ``seed`` that of the intervals, and
    ``preference`` the folder of a preference model that says where it and the ranker disagree.
    """

    language: ReportLanguage | None = None
    seed: int = Field(default=0, ge=0)
    preference: str | None = None


class TrainConfig(ConfigSection):
    """What is trained, and how (see ``train``).

    ``model`` is the base model's folder or its name on a hub, ``split`` says train, validation and test in
    percent, ``mix`` names ordinary data as FILE:SHARE. ``balance`` leaves out pairs until nothing but the
    trait sets the sides apart by more than that, except what ``balance_ignore`` names. GRPO is rewarded by
    ``reward_model`` or by ``preference_model``. ``conditioned`` has every row of a reward model say its
    trait. ``values`` replace settings of the recipe or add to them; None takes one out.
    """

    model: str = ""
    preset: str = "laptop"
    split: str = "90/10/0"
    mix: tuple[str, ...] = ()
    balance: float | None = Field(default=None, gt=0.0, le=1.0)
    balance_ignore: tuple[str, ...] = ()
    reward_model: str | None = None
    preference_model: str | None = None
    conditioned: bool | None = None
    values: dict[str, Any] = Field(default_factory=dict)
