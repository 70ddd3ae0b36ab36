"""What the refusals of a Vault server mean, as errors that say what to do. Their texts are not repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lakehouse.errors import KeysError


@dataclass(frozen=True, slots=True)
class VaultPlace:
    """Where a call went.

    Args:
        url: The server's address.
        mount: Mount point of the transit engine.
        key: Name of the transit key.
    """

    url: str
    mount: str
    key: str


class _Meaning(NamedTuple):
    what: str
    advice: str


def refusal(place: VaultPlace, *, kind: str, said: Sequence[object], unwrapping: bool) -> KeysError:
    """The error for what a server answered.

    Args:
        place: Where.
        kind: The name of hvac's error, as ``Forbidden``: it stands for the status.
        said: The server's own words.
        unwrapping: Whether a key was to be unwrapped.
    """
    what, advice = _meaning(place, kind, " ".join(map(str, said)).lower(), unwrapping=unwrapping)
    return KeysError(f"Vault at {place.url} {what}", advice=advice)


def _meaning(place: VaultPlace, kind: str, text: str, *, unwrapping: bool) -> _Meaning:
    found = _of_server(place, kind, text)
    if found is None and ("encryption key not found" in text or ("not found" in text and not unwrapping)):
        found = _Meaning(
            f"has no transit key {place.mount}/{place.key}",
            f"`vault write -f {place.mount}/keys/{place.key}` makes it; or name another in `keys.key_id`",
        )
    if found is None and kind == "InvalidPath":
        found = _Meaning(
            f"has no transit engine at {place.mount}",
            f"`vault secrets enable -path={place.mount} transit` makes it; or see `keys.mount`, "
            "`keys.namespace`",
        )
    if found is None and unwrapping:
        found = _Meaning(
            f"can't unwrap this key with {place.mount}/{place.key}",
            "the wrapped key was changed in the state database, or is another's, or the transit key was made "
            "anew, or lost old versions: restore what was from a backup",
        )
    return found or _Meaning(f"failed ({kind})", "its log says why")


def _of_server(place: VaultPlace, kind: str, text: str) -> _Meaning | None:
    """What has to do with no single key."""
    if kind in {"Forbidden", "Unauthorized"}:
        return _Meaning(
            "does not allow this",
            "give a token that is valid now (`keys.token`, from a variable, or VAULT_TOKEN) and may update "
            f"{place.mount}/datakey/plaintext/{place.key}, {place.mount}/encrypt/{place.key} and "
            f"{place.mount}/decrypt/{place.key}",
        )
    if kind == "VaultDown" or "sealed" in text:
        return _Meaning("is sealed", "unseal it (`vault operator unseal`), then try again")
    if kind == "VaultNotInitialized":
        return _Meaning("is not set up yet", "`vault operator init` does that")
    if kind in {"RateLimitExceeded", "BadGateway"}:
        return _Meaning("is busy", "try again")
    return None
