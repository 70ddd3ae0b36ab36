"""Retention: which rows go by which rule, what holds them back, and carrying it out."""
