"""Texts with personal data, and texts that only look so. The same seed makes the same texts, on any day."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from faker import Faker

from benchmarks.clock import stopped

_LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "en_IN", "pt_BR")
_MARKS = (
    "😀",
    "👩‍👩‍👧",
    "שלום",
    "مرحبا",
    "e\u0301",
    "\u200b",
    "\ufffd",
    "\ufeff",
    "\uff37\uff49\uff44\uff45",
    "İstanbul",
    "ß",
    "\x00",
    "٣٤٥",
)


class Texts:
    """Makes texts.

    Args:
        seed: Decides all of them.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._fakers = [Faker(locale) for locale in _LOCALES]
        for number, faker in enumerate(self._fakers):
            faker.seed_instance(seed * 100 + number)

    def plain(self, count: int) -> list[str]:
        """Distinct texts as people write them to a shop: notes, tickets, letters."""
        return self._distinct(count, (*_PLAIN,))

    def messy(self, count: int) -> list[str]:
        """Distinct texts that nobody expects: markup, numbers only, signs of all kinds, next to nothing."""
        return self._distinct(count, (*_PLAIN, *_MESSY))

    def _distinct(self, count: int, makers: tuple[Callable[[Faker, random.Random], str], ...]) -> list[str]:
        texts: dict[str, None] = {}
        with stopped():
            while len(texts) < count:
                faker = self._random.choice(self._fakers)
                texts[self._random.choice(makers)(faker, self._random)] = None
        return list(texts)


def _call(faker: Faker, rng: random.Random) -> str:
    return f"Please call {faker.name()} back at {faker.phone_number()} about order {rng.randrange(10**8)}."


def _moved(faker: Faker, rng: random.Random) -> str:
    del rng
    address = faker.address().replace("\n", ", ")
    return (
        f"{faker.name()} ({faker.email()}) has moved to {address}. Her old number was {faker.phone_number()}."
    )


def _refund(faker: Faker, rng: random.Random) -> str:
    late = f"On {faker.date()} {faker.first_name()} said that the parcel was late."
    paid = (
        f"We refunded {rng.randrange(900)} euros to card {faker.credit_card_number()}, IBAN {faker.iban()}."
    )
    return f"{late} {paid} Thank you for your patience!"


def _ticket(faker: Faker, rng: random.Random) -> str:
    del rng
    return (
        f"Ticket {faker.uuid4()}: the user at {faker.ipv4()} can't open {faker.url()} since "
        f"{faker.day_of_week()}. MAC {faker.mac_address()}."
    )


def _story(faker: Faker, rng: random.Random) -> str:
    names = " and ".join(faker.name() for _ in range(rng.randrange(1, 4)))
    born = faker.date(pattern="%d %B %Y")
    speaks = f"{rng.choice(('he', 'she'))} speaks {rng.choice(('German', 'Hindi', 'French'))}"
    work = f"{names} from {faker.city()} work at {faker.company()}."
    return f"{work} They were born on {born}, and {speaks}. {faker.sentence(12)}"


def _none(faker: Faker, rng: random.Random) -> str:
    del faker
    goods = ("kettle", "lamp", "desk", "bicycle", "coat", "phone case", "printer", "garden chair")
    times = ("last week", "in March", "twice", "for my mother")
    faults = ("is broken", "came in the wrong colour", "makes a strange noise", "never arrived", "is fine")
    return (
        f"The {rng.choice(goods)} that I bought {rng.choice(times)} {rng.choice(faults)}, "
        f"and the {rng.choice(goods)} {rng.choice(faults)} as well. It cost {rng.randrange(5, 900)}."
        f"{rng.randrange(100):02d}; I want {rng.choice(('my money', 'a new one'))}."
    )


def _papers(faker: Faker, rng: random.Random) -> str:
    return (
        f"Dear team, my SSN is {faker.ssn()} and my driver's license "
        f"{rng.choice('ABCDS')}{rng.randrange(10**7):07d}. Passport {rng.randrange(10**9):09d}, "
        f"bank account number {rng.randrange(10**10)}. Regards, {faker.name()}"
    )


def _short(faker: Faker, rng: random.Random) -> str:
    return rng.choice(
        (faker.name(), faker.email(), faker.phone_number(), faker.city(), f"re: {faker.word()}", faker.url())
    )


def _markup(faker: Faker, rng: random.Random) -> str:
    return (
        f'<p class="c{rng.randrange(9)}">Hi {faker.first_name()},<br/>write to '
        f'<a href="mailto:{faker.email()}">us'
        f"</a> &amp; visit '{faker.url()}' or \"{faker.domain_name()}\"</p>"
    )


def _document(faker: Faker, rng: random.Random) -> str:
    return json.dumps(
        {"id": rng.randrange(10**12), "name": faker.name(), "mail": faker.email(), "at": faker.iso8601()},
        ensure_ascii=rng.random() < 0.5,
    )


def _numbers(faker: Faker, rng: random.Random) -> str:
    del faker
    return "".join(rng.choice("0123456789 -./:()+") for _ in range(rng.randrange(1, 60)))


def _signs(faker: Faker, rng: random.Random) -> str:
    pieces = [faker.name(), faker.phone_number(), faker.email(), *rng.sample(_MARKS, 4), faker.date()]
    rng.shuffle(pieces)
    return rng.choice(("", " ", "\n", "\t", ":", "  ")).join(pieces)


def _space(faker: Faker, rng: random.Random) -> str:
    del faker
    return "".join(rng.choice(" \t\n\r\u00a0\u2003\u2028") for _ in range(rng.randrange(12)))


def _shout(faker: Faker, rng: random.Random) -> str:
    text = rng.choice(_PLAIN)(faker, rng)
    return rng.choice(
        (text.upper(), text.lower(), text.replace(" ", "  "), text.replace(" ", "\n"), f" {text} ")
    )


def _colons(faker: Faker, rng: random.Random) -> str:
    return (
        f"phone:{faker.phone_number()} mobile no.:{faker.phone_number()}; "
        f"born:{faker.date()};url:{faker.url()} "
        f"calls {rng.randrange(10**9)} dialed numbers {faker.phone_number()} phones"
    )


def _long(faker: Faker, rng: random.Random) -> str:
    return " ".join(rng.choice(_PLAIN)(faker, rng) for _ in range(rng.randrange(4, 12)))


_PLAIN: tuple[Callable[[Faker, random.Random], str], ...] = (
    _call,
    _moved,
    _refund,
    _ticket,
    _story,
    _none,
    _papers,
    _short,
)
_MESSY: tuple[Callable[[Faker, random.Random], str], ...] = (
    _markup,
    _document,
    _numbers,
    _signs,
    _space,
    _shout,
    _colons,
    _long,
)
