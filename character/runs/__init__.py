"""Every kept folder: a run of the whole recipe, its session, identity, log, summary and estimate."""
