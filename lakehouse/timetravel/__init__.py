"""Time travel: which version is meant, what differs between two, going back, and names for versions."""
