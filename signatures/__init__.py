"""The prompts: one file per kind of LM call, the docstring is the instruction. Import the submodules; this package holds no names."""
