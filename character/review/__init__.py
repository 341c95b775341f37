"""The review app: a local page on which people rank, compare, check and veto what a run or an effect holds.

The parts, low to high: ``sources`` (what is under review), ``answers`` (what a reviewer can say), ``store``
(every answer durable, on disk before the page says so), ``index`` (the queue), ``items`` and ``texts`` (what
is shown, and how hostile text is shown as text), ``agreement``, ``labelling`` (rankings as a labelled set),
``effect_reviews`` (what was said of each trait, for its card), ``guard`` (who may ask), ``app``, ``serving``.
"""
