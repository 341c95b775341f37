"""Paired choices: what a model picks where it may choose between traits."""
