"""FF1 against the sample vectors that NIST publishes with SP 800-38G."""

from __future__ import annotations

import string

import pytest
from fastfpe import ff1

KEY = "2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f7f036d6f04fc6a94"
DECIMAL = "0123456789"
RADIX_36 = string.digits + string.ascii_lowercase
TWEAK_10 = "39383736353433323130"
TWEAK_36 = "3737373770717273373737"


@pytest.mark.parametrize(
    ("bits", "tweak", "alphabet", "plain", "sealed"),
    [
        (128, "", DECIMAL, "0123456789", "2433477484"),
        (128, TWEAK_10, DECIMAL, "0123456789", "6124200773"),
        (128, TWEAK_36, RADIX_36, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
        (192, "", DECIMAL, "0123456789", "2830668132"),
        (192, TWEAK_10, DECIMAL, "0123456789", "2496655549"),
        (192, TWEAK_36, RADIX_36, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
        (256, "", DECIMAL, "0123456789", "6657667009"),
        (256, TWEAK_10, DECIMAL, "0123456789", "1001623463"),
        (256, TWEAK_36, RADIX_36, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
    ],
)
def test_samples_of_nist(bits: int, tweak: str, alphabet: str, plain: str, sealed: str) -> None:
    key = KEY[: bits // 4]
    assert ff1.encrypt(key, tweak, alphabet, plain) == sealed
    assert ff1.decrypt(key, tweak, alphabet, sealed) == plain
