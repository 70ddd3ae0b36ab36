"""``fake``: invented values that look real, the same for the same value."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, Final

import polars as pl

from lakehouse.config.models.operators import FakeSettings
from lakehouse.errors import UsageError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.operators.common import Basic, each_text
from lakehouse.pii.operators.keyed import key_for
from lakehouse.pii.operators.packages import needed

PROVIDERS: Final = {
    "PERSON": "name",
    # Domains that are nobody's (RFC 2606): a real one would get the mails.
    "EMAIL_ADDRESS": "ascii_safe_email",
    "PHONE_NUMBER": "phone_number",
    "LOCATION": "city",
    "ORGANIZATION": "company",
    "IP_ADDRESS": "ipv4_private",
    "MAC_ADDRESS": "mac_address",
    "URL": "url",
    "IBAN_CODE": "iban",
    "CREDIT_CARD": "credit_card_number",
    "DATE_TIME": "date",
    "US_SSN": "ssn",
    "NRP": "country",
    "USERNAME": "user_name",
    "ADDRESS": "address",
}
"""Entity: the method of Faker that invents it."""


class Fake(Basic):
    """Values invented by Faker, from a seed that is HMAC-SHA256 of the entity and the value.

    The same value of one entity has the same invented one in every table and run, as long as Faker stays in
    its version. There are only so many names: different values can get the same one, so that keys are not
    masked like this. An invented value can be that of a real person by chance. It takes about 0.1 ms for each
    distinct value.
    """

    name = "fake"

    def __init__(self, settings: FakeSettings, *, ring: KeyRing, pinned: bool = False) -> None:
        self._key = key_for(settings, ring=ring, use="fake", first=pinned)
        self._locale = settings.locale
        self._provider = settings.provider
        _generator(self._locale)

    def provider(self, entity: str, generator: Any = None) -> Callable[[], Any]:
        """What invents values of an entity.

        Args:
            entity: The entity.
            generator: Faker; a new one if not given.

        Raises:
            UsageError: Nothing does.
        """
        name = self._provider or PROVIDERS.get(entity)
        if name is None:
            raise UsageError(
                f"operator fake: it is not known what invents values of {entity}",
                advice="name a method of Faker in `provider`",
            )
        found = getattr(generator or _generator(self._locale), name, None)
        if not callable(found):
            raise UsageError(
                f"operator fake: Faker has no `{name}` for the locale {self._locale}",
                advice="name another of its methods in `provider`",
            )
        invent: Callable[[], Any] = found
        return invent

    def on_values(self, values: pl.Series, *, entity: str) -> pl.Series:
        """Invents values; an empty text stays empty."""
        # One of its own: threads that shared one would disturb each other's seeds.
        generator = _generator(self._locale)
        provider = self.provider(entity, generator)
        key, prefix = self._key.material, entity.encode() + b"\0"

        def invented(text: str) -> str:
            if not text:
                return text
            generator.seed_instance(int.from_bytes(hmac.digest(key, prefix + text.encode(), "sha256")[:16]))
            return str(provider())

        return each_text(values, invented)


def _generator(locale: str) -> Any:
    module = needed("faker", operator=Fake.name)
    try:
        return module.Faker(locale)
    except (AttributeError, ValueError):
        raise UsageError(
            f"operator fake: Faker has no locale {locale}", advice="write it as en_US or de_DE"
        ) from None
