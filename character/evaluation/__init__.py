"""What traits do to a model's behaviour: responses with and without them, judged blind, and what changed.

``effect`` makes and judges the responses in a folder, ``shifts`` and ``measures`` say what changed and how
surely, ``choices`` what a model shows where it may choose, ``preference_judge`` what a preference model makes
of it. ``page`` shows it and writes a card for each trait, ``compare`` compares two evaluations.
"""
