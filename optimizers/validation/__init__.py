"""What tuning gained: rankers measured on labelled items held out from it, and the report of that."""
