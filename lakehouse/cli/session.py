"""What one invocation knows: the options before the verb, the config file, the output, the open lake."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.cli.output import Output

if TYPE_CHECKING:
    from lakehouse.lake import Lakehouse

CONFIG_NAME = "lakehouse.yaml"
CONFIG_VARIABLE = "LAKEHOUSE_CONFIG"


class Session:
    """One invocation.

    Args:
        config: The config file as named with ``-c``; None to look for it.
        as_json: Whether the result is one JSON document.
        quiet: Whether hints and progress are left out.
        debug: Whether errors show tracebacks.
    """

    def __init__(self, *, config: str | None, as_json: bool, quiet: bool, debug: bool) -> None:
        self.config = config
        self.as_json = as_json
        self.quiet = quiet
        self.debug = debug

    @cached_property
    def out(self) -> Output:
        """Where results and hints go."""
        return Output(as_json=self.as_json, quiet=self.quiet)

    def config_path(self) -> Path:
        """Finds the config file: ``-c``, then the environment, then here and upwards to the root.

        Returns:
            The path; relative to the current folder where it was found by looking for it.

        Raises:
            UsageError: There is none.
        """
        named = self.config or os.environ.get(CONFIG_VARIABLE)
        if named:
            return Path(named)
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / CONFIG_NAME).is_file():
                return Path(os.path.relpath(folder / CONFIG_NAME, here))
        from lakehouse.errors import UsageError

        raise UsageError(
            f"there is no {CONFIG_NAME} in this folder or in one above it",
            advice=f"`lakehouse init` writes one; or name yours with -c FILE or ${CONFIG_VARIABLE}",
        )

    @cached_property
    def lake(self) -> Lakehouse:
        """The lake of the config file, opened on first use."""
        from lakehouse.lake import Lakehouse

        return Lakehouse.open(self.config_path())

    def go_ahead(
        self, question: str, *, yes: bool, destructive: bool = True, why: str = "this takes something away"
    ) -> bool:
        """Asks before something is done, once its plan has been shown.

        Args:
            question: What to ask, ending in a question mark.
            yes: ``--yes`` was given: the answer is known.
            destructive: Whether it takes something away. Without a terminal, such a verb is refused and
                a harmless one goes ahead.
            why: What makes it destructive.

        Returns:
            Whether to go ahead.

        Raises:
            UsageError: Destructive, nobody to ask, and no ``--yes``.
        """
        if yes:
            return True
        # With --json nobody has seen the plan.
        if not self.as_json and sys.stdin.isatty() and sys.stderr.isatty():
            return self.out.ask(question)
        if not destructive:
            return True
        from lakehouse.errors import UsageError

        raise UsageError(
            f"{why}, and there is no terminal to ask on: nothing was done",
            advice="look at the plan with --dry-run, then say --yes",
        )
