"""Merging: locate the stored rows of a batch's keys, decide, mark or rewrite, append, commit."""
