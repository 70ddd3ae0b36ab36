"""Where archives lie: below the lake's root or elsewhere, and never in a table's folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lakehouse.config.models import Config, RetentionRule
from lakehouse.errors import RefusedError
from lakehouse.storage import Storage, open_storage

_OWN: Final = "_lakehouse"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePlaces:
    """The places of a lake's archives.

    Args:
        config: The lake's config.
        lake: The lake's root.
    """

    config: Config
    lake: Storage

    def place(self, to: str, table: str) -> Storage:
        """The folder of a table's archives.

        Args:
            to: As in a rule: below the lake's root, an absolute folder, or a URL.
            table: The table.

        Raises:
            RefusedError: ``to`` names no folder, or one of the lake's own.
        """
        if "://" in to or to.startswith(("/", "~")):
            return self.open(to).child(table)
        parts = [part for part in to.split("/") if part not in {"", "."}]
        if ".." in parts or not parts or parts[0] == _OWN:
            raise RefusedError(
                f"the archive {to!r} is no folder of its own below the lake's root",
                advice="name one in `to`, such as `archive`",
            )
        return self.lake.child("/".join(parts)).child(table)

    def of_table(self, table: str, to: str | None = None) -> Iterator[Storage]:
        """The folders where a table has archives.

        Args:
            table: The table.
            to: Only this one; None means those of its rules.
        """
        rules = self.config.retention_of(table)
        wanted = [to] if to is not None else [rule.to for rule in rules if rule.to is not None]
        for each in dict.fromkeys(wanted):
            yield self.place(each, table)

    def check(self, rule: RetentionRule, *, table: str) -> None:
        """Makes sure that an archive can't get into a table's folder.

        Args:
            rule: A rule that archives.
            table: Its table.

        Raises:
            RefusedError: It would, or ``to`` names no place.
        """
        place = self.place(str(rule.to), table)
        for name in self.config.tables:
            folder = self.lake.child(name).url
            inside, outside = f"{place.url}/", f"{folder}/"
            if inside.startswith(outside) or outside.startswith(inside):
                raise RefusedError(
                    f"rule {rule.name}: the archive of {table} would lie in a table's folder ({folder})",
                    advice="name another folder in `to`, such as `archive`",
                )

    def open(self, url: str) -> Storage:
        """Opens a place by its URL; the lake's options reach stores of the same kind.

        Args:
            url: A folder or URL.
        """
        alike = _scheme(url) == _scheme(self.config.storage.root)
        return open_storage(url, options=self.config.storage.plain_options() if alike else None)


def _scheme(url: str) -> str:
    name, separator, _ = url.partition("://")
    return name if separator and name != "file" else ""
