"""What is personal: spans in texts (as Presidio finds them, faster), and whole columns by corroborated evidence."""
