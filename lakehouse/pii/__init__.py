"""Personal data: found, masked, turned back, weighed; and the keys for it.

`detect` and `scan` find it, `operators` and `mask` mask it. Presidio and spaCy are imported in
`detect.presidio` alone, and Presidio's operators in `operators.presidio`: on use, since they take seconds.
"""
