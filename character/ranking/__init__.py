"""Candidates -> Ranking: the model ranks its own candidates; scores become an order with probabilities."""
