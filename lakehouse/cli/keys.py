"""The verbs about keys: ``keys list``, ``keys create``, ``keys rotate``. None of them shows a key unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.cells import Cell, cell, said
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import VerbGroup, verb
from lakehouse.cli.output import Block, plural
from lakehouse.cli.parameters import confirm_options
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.pii.keys.provider import KeyInfo

_ROTATION = """\
  New values are masked with version {next} from then on. Older versions stay: what was masked with them can
  still be turned back, and this masks none of it anew.
  Joins: deterministic masks (tokenize, hash, ...) of new rows differ from those of older rows, until these
  are masked again. Columns of a table's key keep the first version, so that merges find their rows."""
_LOSSES = {
    "suppress": "without it nobody can tell who was erased, and merges stop",
    "requests": "without it open requests can't be carried out",
    "sign": "without it no certificate can be signed, nor compared with the lake's key",
    "shred": "without it columns under keys of single people can't be read by anybody",
}
_STAYS = """\
  Not with it: {kinds}. Masks of {operators} don't say which version made them, so they stay with the first
  one, or the one that `version` names, until the config says `version: {next}` and they are masked anew."""
_COPY = {
    "file": "keep a copy of {place} in a safe place: {loss}",
    "aws_kms": "it is wrapped by {place}: neither that key nor the state database may get lost",
    "vault": "it is wrapped by {place}: neither that key nor the state database may get lost",
}


@click.group(cls=VerbGroup, subcommand_metavar="VERB [ARGS]...")
def keys() -> None:
    """Make and rotate the keys that mask, sign and shred."""


@verb("list", examples=["lakehouse keys list", "lakehouse keys list --json"], python="lake.keys.list()")
@click.pass_obj
def list_(session: Session) -> None:
    """List the keys with their versions, and what is wrong with them.

    The keys themselves are not shown. Versions that were made once and are gone are listed as lost.
    """
    place = session.lake.keys
    found = place.list()
    rows: list[list[Cell]] = [
        [
            said(each.purpose),
            cell(each.version),
            said(_status(each)),
            said("") if each.created is None else cell(each.created.replace(microsecond=0)),
            said(each.author),
            said(each.place),
        ]
        for each in found
    ]
    grid = Grid(["key", "version", "status", "created", "by", "where"], rows).without_empty("created", "by")
    blocks: list[Block] = [grid] if rows else ["no keys yet"]
    blocks += [f"{each.purpose} {each.version}: {each.problem}" for each in found if each.problem]
    session.out.emit({"provider": place.provider, "keys": [_document(each) for each in found]}, *blocks)
    if not rows:
        session.out.next_steps(("lakehouse keys create mask", "the key that operators use"))


def _status(each: KeyInfo) -> str:
    if each.problem:
        return "unusable" if each.place else "lost"
    return "current" if each.current else "older"


_print_option = click.option(
    "--print",
    "shown",
    is_flag=True,
    help="Provider env: make a key and print the line that sets its variable. That is the key itself.",
)
_purpose_argument = click.argument("purpose", metavar="PURPOSE")


@verb(
    "create",
    examples=[
        "lakehouse keys create mask",
        "lakehouse keys create suppress requests sign    # what requests of people need",
        "lakehouse keys create payroll          # for operators with `key: payroll`",
        "lakehouse keys create mask --print     # provider env: the line to set",
    ],
    python='lake.keys.create("mask")',
)
@click.argument("purposes", metavar="PURPOSE...", nargs=-1, required=True)
@_print_option
@click.pass_obj
def create(session: Session, *, purposes: tuple[str, ...], shown: bool) -> None:
    """Make keys.

    PURPOSE is mask (what operators use), suppress (hashes of the erased), sign (certificates), shred (keys of
    single people), requests, or a name of your own that operators name. Nothing makes a key by itself: where
    one is missing, the error says so.
    """
    if shown:
        if len(purposes) > 1:
            raise click.UsageError("--print shows one key at a time", click.get_current_context())
        _print(session, purposes[0], rotate=False)
        return
    place, wanted = session.lake.keys, list(dict.fromkeys(purposes))
    # What is there already is refused before any of the others is made.
    wanted.sort(key=lambda purpose: not place.versions(purpose))
    made = [place.create(purpose) for purpose in wanted]
    lines = [f"made version {each.version} of the key {each.purpose}: {each.place}" for each in made]
    documents = [_document(each) for each in made]
    session.out.emit(documents[0] if len(made) == 1 else {"keys": documents}, *lines)
    for each in made:
        _say_copy(session, each)


@verb(
    "rotate",
    examples=["lakehouse keys rotate mask --dry-run", "lakehouse keys rotate mask --yes"],
    python='lake.keys.rotate("mask")',
)
@_purpose_argument
@_print_option
@confirm_options
@click.pass_obj
def rotate(session: Session, *, purpose: str, shown: bool, dry_run: bool, yes: bool) -> None:
    """Make the next version of a key; new values are masked with it.

    Shows what that means and asks; without a terminal it needs --yes. Older versions stay, and what was
    masked with them can still be turned back. Deterministic masks of new rows differ from those of older
    rows until these are masked again; columns that are part of a table's key keep the first version. A new
    version of shred wraps the keys of single people anew, all of them.
    """
    place = session.lake.keys
    step = place.next_rotation(purpose)
    document: dict[str, Any] = {
        "purpose": purpose,
        "from": step.newest,
        "to": step.next,
        "provider": place.provider,
    }
    if dry_run or not session.as_json:
        stays = _stays(session, purpose)
        document["stays"] = stays
        session.out.emit({"dry_run": dry_run, **document}, *_story(purpose, step.newest, step.next, stays))
    if dry_run:
        return
    if shown:
        _print(session, purpose, rotate=True)
        return
    if not session.go_ahead(f"Rotate {purpose}?", yes=yes, why="a rotation can't be undone"):
        session.out.note("nothing was done")
        return
    made = place.rotate(purpose)
    head = f"made version {made.version} of the key {purpose}: {made.place}"
    if purpose == "shred":
        anew = session.lake.subject_keys.rewrap()
        session.out.emit(
            {**_document(made), "rewrapped": anew}, head, f"wrapped {plural(anew, 'key')} of people by it"
        )
    else:
        session.out.emit(_document(made), head)
    _say_copy(session, made)


def _stays(session: Session, purpose: str) -> dict[str, str]:
    """The kinds of personal data whose masks keep their version of a key, with what masks them."""
    from lakehouse.pii.mask.mark import VERSIONLESS

    return {
        kind: each.operator
        for kind, each in session.lake.config.pii.operators.items()
        if each.operator in VERSIONLESS and each.settings.get("key", "mask") == purpose
    }


def _story(purpose: str, newest: int, next_: int, stays: Mapping[str, str]) -> list[Block]:
    from lakehouse.pii.keys.purposes import PURPOSES

    head = f"{purpose}: version {newest} -> {next_}"
    if purpose == "shred":
        return [
            head,
            "  The keys of people are wrapped by it anew; what is stored under them stays as it is.",
        ]
    if purpose == "mask" or purpose not in PURPOSES:
        story: list[Block] = [head, _ROTATION.format(next=next_)]
        if stays:
            operators = " and ".join(sorted(set(stays.values())))
            story.append(_STAYS.format(kinds=", ".join(stays), operators=operators, next=next_))
        return story
    return [head, "  Older versions stay: what was made with them is still understood."]


def _print(session: Session, purpose: str, *, rotate: bool) -> None:
    """Shows a key, for the one who sets the variable: nothing else can."""
    draft = session.lake.keys.draft(purpose, rotate=rotate)
    session.out.emit({"variable": draft.name, "value": draft.value}, f"{draft.name}={draft.value}")
    if not session.as_json:
        click.echo(
            "warning: the line above is the key itself. It is kept nowhere: put it where the secrets of your "
            "processes are, and let no log or shell history keep it",
            err=True,
        )


def _say_copy(session: Session, made: KeyInfo) -> None:
    text = _COPY.get(session.lake.keys.provider)
    if text is not None:
        loss = _LOSSES.get(made.purpose, "what is masked with a lost key stays masked")
        session.out.note(text.format(place=made.place, loss=loss))


def _document(each: KeyInfo) -> dict[str, Any]:
    return {
        "purpose": each.purpose,
        "version": each.version,
        "current": each.current,
        "created": each.created,
        "author": each.author,
        "place": each.place,
        "problem": each.problem,
    }


for _command in (list_, create, rotate):
    keys.add_command(_command)
