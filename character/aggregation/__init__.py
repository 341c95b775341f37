"""From judgements to a ranking: balanced orders, scores with uncertainty, position effects. Pure numpy."""
