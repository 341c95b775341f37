"""Fitting parts of a character program to small labelled sets. Import the submodules; this package holds no names."""
