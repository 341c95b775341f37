"""Figures with their uncertainty: what every room that measures something draws on."""
