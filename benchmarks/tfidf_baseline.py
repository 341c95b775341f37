"""The plain baseline of preference models: scikit-learn's TF-IDF, logistic regression on differences, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from character.records import PreferencePair


class TfidfBaseline:
    """Words 1-2 and characters 2-5, TF-IDF scaled to length 1 each, L2 logistic regression (C = 1) without intercept.

    ``texts`` are all that will be fitted on or scored: their n-grams are counted once. Which of them count, and
    how much, is taken from what is fitted on alone.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        distinct = list(dict.fromkeys(texts))
        self._place = {text: row for row, text in enumerate(distinct)}
        self._counts = [
            CountVectorizer(ngram_range=(1, 2)).fit_transform(distinct),
            CountVectorizer(analyzer="char", ngram_range=(2, 5)).fit_transform(distinct),
        ]
        self._scores = np.zeros(len(distinct))

    def fit(self, pairs: Sequence[PreferencePair]) -> TfidfBaseline:
        """Fit on these pairs, and return the baseline itself."""
        from scipy.sparse import diags_array, hstack
        from sklearn.feature_extraction.text import TfidfTransformer
        from sklearn.linear_model import LogisticRegression

        sides = self._sides(pairs)
        fitted = np.unique(sides)
        rows = hstack(
            [TfidfTransformer().fit(counts[fitted]).transform(counts) for counts in self._counts]
        ).tocsr()
        sign = np.where(np.arange(len(sides)) % 2, -1.0, 1.0)  # both classes must be there
        differences = diags_array(sign, dtype=np.float64) @ (rows[sides[:, 0]] - rows[sides[:, 1]])
        head = LogisticRegression(C=1.0, fit_intercept=False, max_iter=300).fit(differences, sign)
        self._scores = rows @ head.coef_[0]
        return self

    def preferences(self, pairs: Sequence[PreferencePair]) -> Any:
        """Return for each pair the probability that its chosen side is the better one."""
        scores = self._scores[self._sides(pairs)]
        return 1 / (1 + np.exp(scores[:, 1] - scores[:, 0]))

    def _sides(self, pairs: Sequence[PreferencePair]) -> Any:
        return np.array([(self._place[pair.chosen], self._place[pair.rejected]) for pair in pairs])
