"""Names of kinds of personal data, as Presidio writes them: ``EMAIL_ADDRESS``."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from lakehouse.config.models.base import KIND, distinct, one_or_many, parsed
from lakehouse.config.nearest import nearest

# The kinds that are not of one country; others, and your own, are accepted as they are.
COMMON: Final = (
    "CREDIT_CARD", "CRYPTO", "DATE_TIME", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "LOCATION",
    "MAC_ADDRESS", "MEDICAL_LICENSE", "NRP", "ORGANIZATION", "PERSON", "PHONE_NUMBER", "URL",
)  # fmt: skip
_FORM: Final = re.compile(r"[A-Z][A-Z0-9_]*")


def entity_name(text: str) -> str:
    """Checks the name of a kind of personal data.

    Args:
        text: Such as ``EMAIL_ADDRESS``.

    Returns:
        The same name.

    Raises:
        ValueError: It is not written in capitals, or it looks like a slip of a common one.
    """
    if text in COMMON:
        return text
    near = nearest(text, COMMON, cutoff=0.85)
    if near is not None:
        raise ValueError(f"unknown entity `{text}`; did you mean `{near}`?")
    if _FORM.fullmatch(text) is None:
        raise ValueError(f"`{text}` is no name of an entity: write capitals, as EMAIL_ADDRESS or EMPLOYEE_ID")
    return text


EntityName = Annotated[
    str,
    PlainValidator(parsed(entity_name, example="the name of an entity such as EMAIL_ADDRESS")),
    WithJsonSchema({"type": "string", KIND: "entity"}),
]
Entities = Annotated[
    tuple[EntityName, ...],
    BeforeValidator(one_or_many),
    AfterValidator(distinct),
    Field(min_length=1),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
            KIND: "entity or entities",
        }
    ),
]
