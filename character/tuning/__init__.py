"""Ranking prompts tuned to a small labelled set, in a folder that can be stopped and resumed."""
