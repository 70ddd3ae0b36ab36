"""Masks of tables: what is masked how (pure), carried out on frames, and the places where that happens."""
