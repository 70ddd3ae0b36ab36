"""The operators that mask values, one module a kind, all of one small shape (`base.Operator`)."""
