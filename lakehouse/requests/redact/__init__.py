"""Emptying what old files hold of a person, so that every version of a table stays readable."""
