"""What rankers are measured by: metrics over labelled items, the same in words, both as DSPy takes them."""

from optimizers.metrics.adapters import NEUTRAL as NEUTRAL
from optimizers.metrics.adapters import dspy_metric as dspy_metric
from optimizers.metrics.adapters import gepa_metric as gepa_metric
from optimizers.metrics.adapters import judged_scores as judged_scores
from optimizers.metrics.adapters import tuning_examples as tuning_examples
from optimizers.metrics.feedback import fault_feedback as fault_feedback
from optimizers.metrics.feedback import feedback as feedback
from optimizers.metrics.functions import LOWER_IS_BETTER as LOWER_IS_BETTER
from optimizers.metrics.functions import METRICS as METRICS
from optimizers.metrics.functions import Metric as Metric
from optimizers.metrics.functions import Scores as Scores
from optimizers.metrics.functions import goodness as goodness
from optimizers.metrics.functions import mean_absolute_error as mean_absolute_error
from optimizers.metrics.functions import metric_named as metric_named
from optimizers.metrics.functions import ndcg as ndcg
from optimizers.metrics.functions import pairwise_accuracy as pairwise_accuracy
from optimizers.metrics.functions import tau_b as tau_b
from optimizers.metrics.functions import top1 as top1
