"""What a reply says: reasoning and template tokens set apart, its fields found, their values read."""
