"""All help pages as one Markdown page: ``python -m lakehouse.cli.reference > docs/reference/cli.md``."""

from __future__ import annotations

import click

from lakehouse.cli.app import HEADINGS, root

_WIDTH = 100
_HEAD = """\
# Command line

This page is made from the help pages: `python -m lakehouse.cli.reference`.

Every verb takes `-c FILE`, `--json`, `-q` and `--debug`, before or after its name.

- **Config file**: `-c FILE`, else `$LAKEHOUSE_CONFIG`, else `lakehouse.yaml` in this folder or the
  nearest one above.
- **Output**: the result goes to standard output; hints, questions and progress to standard error.
  On a terminal tables are coloured (not with `NO_COLOR` or `TERM=dumb`) and cut to its width; through
  a pipe nothing is cut.
- **JSON**: `--json` prints one document. Times and durations are ISO 8601, decimals are texts, bytes are
  base64, and floats that are no numbers are `"NaN"`, `"Infinity"`, `"-Infinity"`.
- **Errors**: `error:` says what happened, `hint:` what to do. With `--json`, standard error gets
  `{"error": {"type", "message", "advice", "exit_code"}}`, and for a broken config also `"problems"`.
- **Destructive verbs** show their plan and ask. Without a terminal they need `--yes`; `--dry-run` only shows.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed; or done, and some records were rejected |
| 2 | wrong usage or config |
| 3 | refused: a rule stands in the way |
| 4 | conflict or busy: try again |
| 5 | a check found something |
| 6 | not found |
| 130 | interrupted |
| 141 | the reader of the output went away |

**Shell completion** of verbs, options and table names; the line in the shell's start file keeps it:

```
eval "$(_LAKEHOUSE_COMPLETE=bash_source lakehouse)"     # bash
eval "$(_LAKEHOUSE_COMPLETE=zsh_source lakehouse)"      # zsh
_LAKEHOUSE_COMPLETE=fish_source lakehouse | source      # fish
```
"""


def command_reference_markdown() -> str:
    """Renders the help page of every command, verbs in the order of ``lakehouse --help``.

    Returns:
        One Markdown page, the same on every machine whatever the terminal.
    """
    parts = [_HEAD, _page("lakehouse", root, None, level=2)]
    context = _context("lakehouse", root, None)
    for heading, verbs in HEADINGS.items():
        parts.append(f"## {heading}\n")
        for name in verbs:
            command = root.get_command(context, name)
            if command is None:
                continue
            parts.append(_page(f"lakehouse {name}", command, context, level=3))
            if isinstance(command, click.Group):
                inner = _context(name, command, context)
                for word in command.list_commands(inner):
                    each = command.get_command(inner, word)
                    if each is not None:
                        parts.append(_page(f"lakehouse {name} {word}", each, inner, level=3))
    return "\n".join(parts)


def _context(name: str, command: click.Command, parent: click.Context | None) -> click.Context:
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        help_option_names=["-h", "--help"],
    )


def _page(title: str, command: click.Command, parent: click.Context | None, *, level: int) -> str:
    name = title.rpartition(" ")[2]
    text = command.get_help(_context(name, command, parent))
    return f"{'#' * level} {title}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    click.echo(command_reference_markdown(), nl=False)
