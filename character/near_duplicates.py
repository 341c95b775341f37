"""Which texts repeat one another, exactly or nearly, among many."""
