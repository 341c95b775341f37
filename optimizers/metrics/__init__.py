"""What rankers are measured by: metrics over labelled items, the same in words, both as DSPy takes them."""
