"""The ways to tune a ranker: demos, instructions, a choice of wordings, calibration, alone or in turn."""
