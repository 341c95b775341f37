"""Fitting parts of a character program to small labelled sets. Import the submodules; here are no names."""
