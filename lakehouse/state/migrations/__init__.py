"""The migrations of the state database, in order."""
