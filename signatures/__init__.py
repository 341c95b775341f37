"""The prompts: one file per kind of LM call, whose docstring is the instruction. Import the submodules."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)  # a folder of this name beside a user's script, after ours
