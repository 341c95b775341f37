"""Ranking -> PreferencePair: pairs by design, balanced against what else differs between their sides."""
