"""Fitting parts of a character program to small labelled sets. Import the submodules; here are no names."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)  # a folder of this name beside a user's script, after ours
