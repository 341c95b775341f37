"""What a run is worth: its messages, rankings and pairs, looked at as a whole."""
