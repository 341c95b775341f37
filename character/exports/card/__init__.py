"""The data set card of an export."""
