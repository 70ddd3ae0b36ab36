"""Masks of tables: what is masked how (`plan`, pure), carried out on frames, and the four places where that happens."""
