"""The ways to tune a ranker: demos, instructions, a choice of wordings, calibration, each on its own or tried in turn."""
