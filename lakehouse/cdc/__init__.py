"""Change formats, their normal form, and the order of changes."""
