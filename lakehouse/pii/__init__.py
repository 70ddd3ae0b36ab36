"""Personal data: found (`detect`, `scan`), masked (`operators`, `mask`), turned back (`reveal`), weighed (`risk`).

Presidio is imported in `detect.presidio` alone, and in `operators.presidio` for operators of its own. The
keys that masks are made with are in `keys`.
"""
