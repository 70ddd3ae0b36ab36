"""One module a migration. What was released is not changed any more."""
