"""The closed loop: the whole recipe on a toy world whose truth is known, with a tiny policy of its own."""
