"""Log replay: from a base state and the actions that follow, to the state of a version.

Delta protocol, section "Action Reconciliation".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lakehouse.delta.actions import (
    Action,
    AddFile,
    DomainMetadata,
    Metadata,
    Protocol,
    RemoveFile,
    SetTransaction,
)


class Replay:
    """A table's state while it is worked out, by one thread; once handed out it is not changed again.

    Args:
        protocol: Where to start; None for nothing yet.
        metadata: Where to start; None for nothing yet.
        files: Path to file; copied.
        transactions: Application to transaction; copied.
        domains: Name to domain; copied.
    """

    def __init__(
        self,
        *,
        protocol: Protocol | None = None,
        metadata: Metadata | None = None,
        files: Mapping[str, AddFile] | None = None,
        transactions: Mapping[str, SetTransaction] | None = None,
        domains: Mapping[str, DomainMetadata] | None = None,
    ) -> None:
        self.protocol = protocol
        self.metadata = metadata
        self.files: dict[str, AddFile] = dict(files or {})
        self.transactions: dict[str, SetTransaction] = dict(transactions or {})
        self.domains: dict[str, DomainMetadata] = dict(domains or {})

    def apply(self, actions: Iterable[Action]) -> None:
        """Apply the actions of one commit, or of a file that stands for several.

        Args:
            actions: In any order, as the order inside a commit means nothing; where a file holds two
                reconciled versions of the same data file, the add is what the table has.
        """
        added: list[AddFile] = []
        for action in actions:
            match action:
                case AddFile():
                    added.append(action)
                case RemoveFile():
                    self._remove(action)
                case Protocol():
                    self.protocol = action
                case Metadata():
                    self.metadata = action
                case SetTransaction():
                    self.transactions[action.app_id] = action
                case DomainMetadata():
                    self._set_domain(action)
                case _:
                    pass
        for file in added:
            self.files[file.path] = file

    def _remove(self, action: RemoveFile) -> None:
        # Only the logical file of exactly that vector goes: the same path lives on with another vector.
        current = self.files.get(action.path)
        if current is not None and current.key == action.key:
            del self.files[action.path]

    def _set_domain(self, action: DomainMetadata) -> None:
        if action.removed:
            self.domains.pop(action.domain, None)
        else:
            self.domains[action.domain] = action
