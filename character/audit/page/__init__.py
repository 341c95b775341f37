"""The page on which an audit is read."""
