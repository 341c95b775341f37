"""What rankers are measured by: metrics over labelled items, the same in words, and both as DSPy takes
them."""

from optimizers.metrics.adapters import NEUTRAL, dspy_metric, gepa_metric, judged_scores, tuning_examples
from optimizers.metrics.feedback import fault_feedback, feedback
from optimizers.metrics.functions import (
    LOWER_IS_BETTER,
    METRICS,
    Metric,
    Scores,
    goodness,
    mean_absolute_error,
    metric_named,
    ndcg,
    pairwise_accuracy,
    tau_b,
    top1,
)

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "NEUTRAL",
    "Metric",
    "Scores",
    "dspy_metric",
    "fault_feedback",
    "feedback",
    "gepa_metric",
    "goodness",
    "judged_scores",
    "mean_absolute_error",
    "metric_named",
    "ndcg",
    "pairwise_accuracy",
    "tau_b",
    "top1",
    "tuning_examples",
]
