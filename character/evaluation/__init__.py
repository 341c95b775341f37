"""What traits do to a model's behaviour: responses with and without them, judged blind, and what changed.

``effect`` makes and judges the responses in a folder, ``shifts`` and ``measures`` say what changed and how surely,
``effect_page`` shows it and ``effect_cards`` writes a card for each trait.
"""
