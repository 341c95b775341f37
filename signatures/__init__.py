"""The prompts: one file per kind of LM call, whose docstring is the instruction. Import the submodules."""
