"""What is personal: spans in texts, as Presidio finds them, and whole columns, by corroborated evidence."""
