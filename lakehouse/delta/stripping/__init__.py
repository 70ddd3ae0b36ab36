"""Taking values of rows out of a table's log, while every version stays readable."""
