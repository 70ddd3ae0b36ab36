"""What kinds of personal data are called in a sentence."""

from __future__ import annotations

from typing import Final

WORDS: Final = {
    "EMAIL_ADDRESS": "e-mail addresses", "PHONE_NUMBER": "phone numbers", "CREDIT_CARD": "card numbers",
    "IBAN_CODE": "IBANs", "IP_ADDRESS": "IP addresses", "MAC_ADDRESS": "MAC addresses",
    "PERSON": "names of people", "LOCATION": "addresses or places", "DATE_TIME": "dates of birth",
    "NRP": "nationalities, religions or the like",
    "US_SSN": "social security numbers", "CRYPTO": "wallet addresses",
    "VIN": "numbers of vehicles", "LICENSE_PLATE": "licence plates", "URL": "addresses of personal pages",
}  # fmt: skip


def percent(share: float) -> str:
    """A share for people: of what is rare, that it is there.

    Args:
        share: From 0 to 1.
    """
    return f"{share:.0%}" if share >= 0.01 else f"{share:.1%}" if share >= 0.001 else "<0.1%"
