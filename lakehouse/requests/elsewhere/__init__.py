"""The other places where people are: rejected records, archives, masked copies."""
