"""What is wrong with a run's messages, rankings and pairs, as records, findings and a page."""
