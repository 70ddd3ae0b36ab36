"""Personal data: found, masked, turned back, weighed; and the keys for it.

`detect` and `scan` find it, `operators` and `mask` mask it. Presidio is imported in `detect.presidio` alone,
and in `operators.presidio` for operators of its own.
"""
