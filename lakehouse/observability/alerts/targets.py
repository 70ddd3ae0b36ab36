"""Who hears of what: the targets of the config, each with an id, and a name that can be shown. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from lakehouse.config import Config
from lakehouse.config.secrets import MASK, AlertUrl

# Of these the host is a host; of others it can be a token.
_WITH_HOST: Final = frozenset({"json", "jsons", "xml", "xmls", "form", "forms"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Somebody who hears of what is wrong.

    Args:
        id: The same for the same address, also after a restart.
        name: As it may be shown.
        url: The address, which is secret.
        on: What it hears of.
        group: No two messages come sooner after each other.
        remind: After how long something is told again; zero means never.
        per_hour: At most so many messages an hour.
        timeout: How long a message may take.
    """

    id: str
    name: str
    url: AlertUrl = field(repr=False)
    on: frozenset[str]
    group: timedelta = timedelta(minutes=1)
    remind: timedelta = timedelta(hours=24)
    per_hour: int = 12
    timeout: timedelta = timedelta(seconds=10)


def targets_of(config: Config, *, salt: str = "") -> tuple[Target, ...]:
    """The targets of a config.

    Args:
        config: The config.
        salt: Goes into the ids, so that they tell nothing of addresses: the state database's own id.
    """
    found: list[Target] = []
    addresses: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for each in config.alerts:
        address = each.to.get_secret_value()
        addresses[address] += 1
        name = each.name or shown(address)
        names[name] += 1
        digest = hashlib.sha256(f"{salt} {addresses[address]} {address}".encode()).hexdigest()
        found.append(
            Target(
                id=digest[:32],
                name=name if names[name] == 1 else f"{name} ({names[name]})",
                url=each.to,
                on=frozenset(each.on),
                group=each.group,
                remind=each.remind,
                per_hour=each.per_hour,
                timeout=each.timeout,
            )
        )
    return tuple(found)


def shown(address: str) -> str:
    """An address as it may be shown: its scheme, and its host where that can't be a token.

    Args:
        address: The address.
    """
    scheme = address.partition("://")[0].lower()
    if scheme in _WITH_HOST:
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if host:
            return f"{scheme}://{host}" + (f":{port}" if port else "")
    return f"{scheme}://{MASK}"
