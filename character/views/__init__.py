"""How records show themselves: as short text, as HTML in a notebook, and as rows for trainers and frames."""
