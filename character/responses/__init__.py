"""Message -> Candidates: responses that show the character to differing degrees."""
