"""What a certificate says. Everything in it is counted, named by the config, or hashed: no personal value."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

FORMAT: Literal["lakehouse.certificate/1"] = "lakehouse.certificate/1"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest (FIPS 180-4), or one with a key (HMAC, RFC 2104), in hexadecimal."""

Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Name = Annotated[str, Field(min_length=1, max_length=500)]


class Part(BaseModel):
    """A part of a certificate: frozen, and nothing in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Identifier(Part):
    """One identifier of the person, as a hash that only the lake's key can make.

    Args:
        name: What the config calls it.
        hash: HMAC-SHA-256 under the key of the purpose `suppress`.
        key_version: The version of that key.
    """

    name: Name
    hash: Digest
    key_version: Annotated[int, Field(ge=1)]


class Request(Part):
    """What was asked.

    Args:
        id: The request.
        kind: To be erased, or to see what is known.
        subject: What kind of person, as the config names it.
        identifiers: Who, by hash.
        asked: When it was received.
        due: Until when it had to be done.
        done: When it was done.
    """

    id: Name
    kind: Literal["erase", "access"]
    subject: Name
    identifiers: tuple[Identifier, ...]
    asked: AwareDatetime
    due: AwareDatetime
    done: AwareDatetime


class File(Part):
    """A file that is gone, that was rewritten without the person, or that was written in its stead.

    Args:
        action: What was done with it.
        path: Below the lake's root, without partition values.
        bytes: Its size.
        sha256: Of its content: of what is gone, of the emptied file, of the new one.
    """

    action: Literal["removed", "redacted", "written"]
    path: Name
    bytes: Count
    sha256: Digest


class Rows(Part):
    """Rows of a table by what was done with them.

    Args:
        deleted: Gone.
        anonymized: Still there, without who it was about.
        kept: Left as they are, on the ground that is told.
    """

    deleted: Count = 0
    anonymized: Count = 0
    kept: Count = 0


class Table(Part):
    """What was done in one table.

    Args:
        name: The table, a quarantine, copy or archive.
        version_before: Its newest version before.
        version_after: The version without the person.
        rows: How many rows.
        files: Which files.
        closed_versions: Versions that can't be read any more.
        dropped_tags: How many tags pointed at those.
    """

    name: Name
    version_before: Count
    version_after: Count
    rows: Rows
    files: tuple[File, ...] = ()
    closed_versions: tuple[Count, ...] = ()
    dropped_tags: Count = 0


class SearchedKind(Part):
    """How much of one kind was opened; see `lakehouse.requests.search.Searched`."""

    kind: Name
    objects: Count
    bytes: Count
    rows: Count
    cells: Count


class Missing(Part):
    """What was not searched, or what no search here can reach.

    Args:
        what: An object, or a kind of place such as backups.
        reason: Why.
    """

    what: Name
    reason: Name


class Search(Part):
    """The search of all that remained.

    Args:
        needles: How many identifiers of this request were looked for.
        anywhere: How many of them in every text; the others as values of their columns.
        searched: How much was opened.
        hits: How often one of them was found: 0.
        part_of_longer: How often one was part of a longer word or number, and so somebody else's; of all
            requests that were searched for together.
        not_searched: What was not.
        milliseconds: How long it took.
    """

    needles: Count
    anywhere: Count
    searched: tuple[SearchedKind, ...]
    hits: Count
    part_of_longer: Count
    not_searched: tuple[Missing, ...]
    milliseconds: Count


class Kept(Part):
    """What stays, and on which ground.

    Args:
        table: Where.
        rows: How many rows.
        ground: A hold's reason, or the legal ground of the config.
    """

    table: Name
    rows: Count
    ground: Name


class Content(Part):
    """What a certificate tells, before it has its place in the chain.

    Args:
        request: What was asked.
        tables: What was done.
        search: What was searched.
        kept: What stays.
        not_covered: What nobody could search from here: backups, copies that readers made.
    """

    request: Request
    tables: tuple[Table, ...]
    search: Search
    kept: tuple[Kept, ...] = ()
    not_covered: tuple[Missing, ...] = ()


class Certificate(Content):
    """A certificate.

    Args:
        format: The version of what is described here.
        lake: The lake's name.
        sequence: Its number among the lake's certificates, from 1.
        previous: The SHA-256 of the one before; None for the first.
        issued: When it was signed.
        software: The release that did it.
    """

    format: Literal["lakehouse.certificate/1"] = FORMAT
    lake: Name
    sequence: Annotated[int, Field(ge=1, le=2**53 - 1)]
    previous: Digest | None
    issued: AwareDatetime
    software: Name


class SigningKey(Part):
    """The key that signed.

    Args:
        algorithm: Ed25519 (RFC 8032).
        version: The version of the lake's key `sign`.
        public: The public key's 32 bytes in base64.
    """

    algorithm: Literal["Ed25519"] = "Ed25519"
    version: Annotated[int, Field(ge=1)]
    public: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]


class Signed(Part):
    """A certificate with its signature.

    Args:
        certificate: What it says.
        key: Which key signed.
        signature: Ed25519 over the canonical JSON of ``{certificate, key}``, in base64.
    """

    certificate: Certificate
    key: SigningKey
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$")]


NOT_COVERED: tuple[Missing, ...] = (
    Missing(
        what="backups of the store and of the state database",
        reason="they lie outside of the lake; what they keep, and how long, is for their owner to say",
    ),
    Missing(
        what="archives outside of the lake's root that no rule of the config names any more",
        reason="nothing in the config leads there",
    ),
    Missing(
        what="copies that readers made: extracts, reports, caches of other engines",
        reason="the lake can't see them",
    ),
    Missing(
        what="what the place's hardware still holds of deleted files",
        reason="deleting an object is left to the store",
    ),
    Missing(
        what="values that were hashed, encrypted, packed or written in base64 before they came",
        reason="a search for what was given can't see them",
    ),
)
"""What no certificate covers, whatever the lake."""


def utc(moment: datetime) -> str:
    """A time as certificates show it to people.

    Args:
        moment: Timezone-aware.
    """
    return moment.strftime("%Y-%m-%d %H:%M:%S %Z").replace("UTC+00:00", "UTC")
