"""The page and the cards on which effects are read."""
