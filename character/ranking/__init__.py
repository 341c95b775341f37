"""Candidates -> Ranking: the model ranks its own candidates, and its scores become an order with probabilities."""
