"""Sentences with personal data in known places, made from templates with Faker; the same for a seed."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faker import Faker

from benchmarks.clock import stopped
from lakehouse.pii.spans import Span

_SLOT = re.compile(r"\{(\w+)\}")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
NATIONS = [
    "French", "German", "Spanish", "Italian", "Polish", "Swedish", "Dutch", "Turkish", "Indian",
    "Japanese", "Brazilian", "Mexican", "Canadian", "American", "Kenyan", "Nigerian", "Greek",
    "Irish", "Portuguese", "Danish",
]  # fmt: skip
FAITHS = ["Catholic", "Protestant", "Muslim", "Hindu", "Buddhist", "Jewish", "Sikh"]

# What is in braces is filled in; entities have capital names, traps small ones.
DEVELOPMENT = (
    "My name is {PERSON} and I live in {LOCATION}.",
    "{PERSON} called twice about the delivery.",
    "Please send the contract to {EMAIL_ADDRESS} before Friday noon.",
    "Reach me at {PHONE_NUMBER}, my phone is always on.",
    "The card number is {CREDIT_CARD}, expiring soon.",
    "Transfer the refund to IBAN {IBAN_CODE} please.",
    "Her social security number is {US_SSN}.",
    "The login came from IP address {IP_ADDRESS}.",
    "{PERSON} was born on {DATE_TIME} in {LOCATION}.",
    "See my page at {URL} for details.",
    "My driver license number is {US_DRIVER_LICENSE}.",
    "Passport number {US_PASSPORT} was presented at the desk.",
    "The bank account number is {US_BANK_NUMBER}.",
    "Send the coins to my bitcoin wallet {CRYPTO}.",
    "The applicant is {NRP} and speaks three languages.",
    "NHS number {UK_NHS} belongs to the patient.",
    "Contact {PERSON} at {EMAIL_ADDRESS} or {PHONE_NUMBER}.",
    "The device with MAC address {MAC_ADDRESS} was registered by {PERSON}.",
    "Order {order} was shipped with tracking code {tracking}.",
    "The build {version} fixes the bug in module {hash}.",
    "We sold forty units of the {product} this week.",
)
HELD_OUT = (
    "Hi, this is {PERSON} writing from {LOCATION}.",
    "Yesterday {PERSON} asked for a refund.",
    "You can write to {EMAIL_ADDRESS} any time.",
    "Call {PHONE_NUMBER} if nobody answers the door, phone preferred.",
    "Charged to credit card {CREDIT_CARD} this morning.",
    "Payout account: {IBAN_CODE}.",
    "SSN on file: {US_SSN}.",
    "Request blocked for client {IP_ADDRESS} by the firewall.",
    "Date of birth of {PERSON}: {DATE_TIME}.",
    "The profile is at {URL} now.",
    "Driving permit, license {US_DRIVER_LICENSE}, checked by staff.",
    "The traveller showed passport {US_PASSPORT} on arrival.",
    "Wire it to bank account {US_BANK_NUMBER} today.",
    "Paid in bitcoin from {CRYPTO} last night.",
    "Our {NRP} colleagues will join the meeting.",
    "Referral for NHS {UK_NHS} has been received.",
    "{PERSON} moved to {LOCATION} and can be reached under {EMAIL_ADDRESS}.",
    "Laptop of {PERSON}, mac {MAC_ADDRESS}, was returned.",
    "Parcel {tracking} of purchase {order} got lost.",
    "Version {version} was released with checksum {hash}.",
    "Customers like the {product} best.",
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sentence and where personal data is in it.

    Args:
        text: The sentence.
        spans: What is where.
    """

    text: str
    spans: tuple[Span, ...]


class Maker:
    """Makes values of each kind; the same for the same seed and locale.

    Args:
        seed: Of all of them.
        locale: As Faker names it.
    """

    def __init__(self, *, seed: int, locale: str = "en_US") -> None:
        self.rng = random.Random(f"{seed} {locale}")
        self.fake = Faker(locale)
        self.fake.seed_instance(self.rng.randrange(2**32))
        self.english = Faker("en_US")
        self.english.seed_instance(self.rng.randrange(2**32))

    def value(self, kind: str) -> str:
        """A value.

        Args:
            kind: An entity, or a trap in small letters.
        """
        makers: dict[str, Callable[[], object]] = {
            "PERSON": self.fake.name,
            "LOCATION": self.fake.city,
            "EMAIL_ADDRESS": self.fake.email,
            "PHONE_NUMBER": self.phone,
            "CREDIT_CARD": self.english.credit_card_number,
            "IBAN_CODE": self.fake.iban,
            "US_SSN": self.english.ssn,
            "IP_ADDRESS": self.english.ipv4_public,
            "DATE_TIME": lambda: self.english.date_of_birth().strftime("%d %B %Y"),
            "URL": lambda: f"https://www.{self.english.domain_name()}/{self.english.user_name()}",
            "US_DRIVER_LICENSE": lambda: f"{self.letters(1)}{self.digits(7)}",
            "US_PASSPORT": lambda: f"{self.rng.randint(1, 9)}{self.digits(8)}",
            "US_BANK_NUMBER": lambda: f"{self.rng.randint(1, 9)}{self.digits(self.rng.randint(9, 11))}",
            "CRYPTO": self.wallet,
            "NRP": lambda: self.rng.choice(NATIONS + FAITHS),
            "UK_NHS": self.nhs,
            "MAC_ADDRESS": lambda: self.english.mac_address().upper(),
            "order": lambda: f"{self.letters(2)}-{self.digits(4)}-{self.digits(4)}",
            "tracking": lambda: f"1Z{self.digits(6)}{self.letters(2)}",
            "version": lambda: ".".join(str(self.rng.randint(0, 25)) for _ in range(3)),
            "hash": lambda: f"{self.rng.getrandbits(160):040x}",
            "product": self.product,
        }
        return str(makers[kind]())

    def digits(self, number: int) -> str:
        """So many digits."""
        return "".join(self.rng.choices("0123456789", k=number))

    def letters(self, number: int) -> str:
        """So many capitals."""
        return "".join(self.rng.choices("ABCDEFGHJKLMNPRSTUVWXYZ", k=number))

    def product(self) -> str:
        """A thing to buy."""
        kinds = [
            "Lamp", "Chair", "Table", "Kettle", "Bottle", "Jacket", "Backpack", "Camera",
            "Speaker", "Blanket", "Mug", "Notebook",
        ]  # fmt: skip
        brands = [
            "Aurora", "Victoria", "Oslo", "Madison", "Jackson", "Luna", "Austin", "Nova", "Siena",
            "Harper", "Atlas", "Milano",
        ]  # fmt: skip
        return f"{self.rng.choice(brands)} {self.rng.choice(kinds)} {self.rng.randint(2, 900)}"

    def phone(self) -> str:
        """A number that its country could give, written for the world or for the country."""
        area = self.rng.choice((212, 415, 303, 617, 206, 312, 713, 404))
        middle, last = self.rng.randint(220, 989), self.digits(4)
        forms = (f"+1 {area}-{middle}-{last}", f"({area}) {middle}-{last}", f"{area}-{middle}-{last}")
        return self.rng.choice(forms)

    def wallet(self) -> str:
        """A bitcoin address with the right checksum (Base58Check)."""
        body = b"\0" + self.rng.randbytes(20)
        body += hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
        number, text = int.from_bytes(body, "big"), ""
        while number:
            number, rest = divmod(number, 58)
            text = _BASE58[rest] + text
        return f"1{text}"

    def nhs(self) -> str:
        """An NHS number with the right check digit."""
        while True:
            digits = self.digits(9)
            check = 11 - sum(int(sign) * (10 - at) for at, sign in enumerate(digits)) % 11
            if check != 10:
                whole = f"{digits}{check % 11}"
                return f"{whole[:3]} {whole[3:6]} {whole[6:]}"

    def sentence(self, template: str) -> Labelled:
        """A template, filled in."""
        text, spans, at = "", [], 0
        for slot in _SLOT.finditer(template):
            text += template[at : slot.start()]
            value = self.value(slot[1])
            if slot[1].isupper():
                spans.append(Span(len(text), len(text) + len(value), slot[1], 1.0))
            text += value
            at = slot.end()
        return Labelled(text + template[at:], tuple(spans))


def sentences(number: int, *, seed: int, templates: Sequence[str], locales: Sequence[str]) -> list[Labelled]:
    """Makes sentences, each template and locale as often as any other.

    Args:
        number: How many.
        seed: The same one makes the same sentences.
        templates: To fill in.
        locales: For names, places and the like.
    """
    makers = [Maker(seed=seed, locale=locale) for locale in locales]
    with stopped():
        return [
            makers[(at // len(templates)) % len(makers)].sentence(templates[at % len(templates)])
            for at in range(number)
        ]
