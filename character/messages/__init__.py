"""Trait -> Message: messages that give a trait room to show, generated or read from a file."""
