"""``request answer``: everything about a person, as a file. Its parts also serve `request run`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lakehouse.cli.cells import Cell, cell, said, size
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, plural
from lakehouse.cli.request_decide import author_option
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.requests.access import Bundle

Function = TypeVar("Function", bound=Callable[..., Any])


def bundle_options(function: Function) -> Function:
    """The options that say how a bundle is made, for `answer`."""
    for option in reversed(
        (
            click.option(
                "--no-history", is_flag=True, help="Leave out rows that are only in older files of a table."
            ),
            click.option(
                "--identified",
                type=click.Choice(["checked", "all", "given"]),
                default="checked",
                show_default=True,
                help="By what the person is known: checked refuses what can be several people, all takes all "
                "that stands beside the identifiers in rows, given only what the request names.",
            ),
            click.option(
                "--own",
                metavar="TABLE.COLUMN",
                multiple=True,
                help="A column of `pii` that holds only the person's own data; can repeat.",
            ),
            click.option(
                "--others",
                metavar="TABLE.COLUMN",
                multiple=True,
                help="A column of `pii` that can hold other people's data; can repeat.",
            ),
            click.option("--overwrite", is_flag=True, help="Write over a file that is there."),
        )
    ):
        function = option(function)
    return function


@verb(
    "answer",
    examples=[
        "lakehouse request answer req-7f3k2q --to ~/answers",
        "lakehouse request answer req-7f3k2q --to ann.zip --others customers.partner_name",
    ],
    python='lake.requests.answer(request_id, to="ann.zip")',
)
@click.argument("request_id", metavar="REQUEST")
@click.option(
    "--to",
    required=True,
    type=click.Path(),
    metavar="FILE",
    help="A file that ends in .zip, or a folder. It must not be in the lake.",
)
@bundle_options
@author_option
@click.pass_obj
def answer(session: Session, /, *, request_id: str, to: str, author: str | None, **how: Any) -> None:
    """Answer a request for access: write everything about the person into a ZIP file.

    Other people's values are masked. What was written is recorded, and the request is completed by it.
    """
    answered(session, request_id, to=to, author=author, **how)


def answered(
    session: Session,
    request_id: str,
    *,
    to: str,
    author: str | None = None,
    no_history: bool = False,
    identified: str = "checked",
    own: tuple[str, ...] = (),
    others: tuple[str, ...] = (),
    overwrite: bool = False,
) -> None:
    """Answers a request and says what was written.

    Args:
        session: The invocation.
        request_id: Which request.
        to: The file or folder.
        author: On whose order.
        no_history: As the option.
        identified: As the option.
        own: As the option.
        others: As the option.
        overwrite: As the option.
    """
    done = session.lake.requests.answer(
        request_id,
        to=to,
        include_history=not no_history,
        identified=identified,  # type: ignore[arg-type]
        own=own,
        others=others,
        overwrite=overwrite,
        author=author,
    )
    session.out.emit(done.to_dict(), *_told(done))


def _told(done: Bundle) -> list[Block]:
    rows: list[list[Cell]] = [
        [
            said(each.name),
            cell(each.rows),
            cell(each.earlier),
            cell(sum(each.masked.values())),
            cell(sum(each.revealed.values())),
        ]
        for each in done.sources
    ]
    masked = dict.fromkeys(f"{each.table}.{name}" for each in done.sources for name in each.masked)
    review = f"  masked as other people's: {', '.join(masked)}; --own shows what is the person's"
    return [
        f"{done.request} is completed: {plural(done.rows, 'row')} in {done.path} ({size(done.bytes)})",
        f"  sha256 {done.sha256}",
        "",
        Grid(["from", "rows", "earlier", "masked", "turned back"], rows),
        *([review] if masked else []),
        *(f"note: {note}" for note in done.notes),
    ]
