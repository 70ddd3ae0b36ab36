"""The daemon: runs the jobs of a config when they are due, for years, and says so."""
