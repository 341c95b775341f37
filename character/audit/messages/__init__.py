"""The audit of messages: their mix, openers, clusters and repeats."""
