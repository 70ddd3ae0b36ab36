"""Groups that import a verb's module when it is named, and help pages with examples.

The modules of verbs import only click at their top, so that listing them all stays cheap; what is heavy
(polars, pyarrow, pydantic, rich) they import inside the function that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeVar

import click

from lakehouse.cli.session import Session

Function = TypeVar("Function", bound=Callable[..., Any])


class UnknownVerbError(click.UsageError):
    """A verb that does not exist; ``advice`` names the nearest one that does."""

    def __init__(self, message: str, *, advice: str, context: click.Context) -> None:
        super().__init__(message, context)
        self.advice = advice


class VerbGroup(click.Group):
    """A group that answers an unknown verb with the nearest known one."""

    other_words: Mapping[str, str] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order they were written down."""
        del ctx
        return list(self.commands)

    def sections(self, ctx: click.Context) -> Mapping[str, Sequence[str]]:
        """Headings of the help page and the verbs below each."""
        return {"Verbs": self.list_commands(ctx)}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the verbs under their headings, all summaries in one column."""
        widest = max(len(verb) for verb in self.list_commands(ctx))
        for heading, verbs in self.sections(ctx).items():
            with formatter.section(heading):
                for verb in verbs:
                    command = self.get_command(ctx, verb)
                    summary = command.get_short_help_str(limit=100) if command is not None else ""
                    formatter.write(f"{'':>{formatter.current_indent}}{verb:<{widest}}  {summary}\n")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the verb that the first word names.

        Raises:
            UnknownVerbError: There is none.
        """
        word = args[0]
        if ctx.resilient_parsing or word.startswith("-") or self.get_command(ctx, word) is not None:
            return super().resolve_command(ctx, args)
        known = self.list_commands(ctx)
        path = ctx.command_path
        nearest = self._nearest(word, known)
        hint = f"did you mean `{path} {nearest}`? " if nearest else ""
        raise UnknownVerbError(
            f"there is no verb '{word}'" + (f" in `{path}`" if ctx.parent else ""),
            advice=f"{hint}`{path} --help` lists the verbs",
            context=ctx,
        )

    def _nearest(self, word: str, known: Sequence[str]) -> str | None:
        from difflib import get_close_matches

        folded = word.casefold()
        if folded in self.other_words:
            return self.other_words[folded]
        matches = get_close_matches(folded, [*known, *self.other_words], n=1)
        return self.other_words.get(matches[0], matches[0]) if matches else None


class LazyGroup(VerbGroup):
    """A group whose verbs are named by heading and imported when they are needed.

    Args:
        headings: Heading -> verb -> ``module:name`` of its command.
        other_words: Words that are no verbs here, and the verb that does what they mean.
        **settings: What ``click.Group`` takes.
    """

    def __init__(
        self,
        *arguments: Any,
        headings: Mapping[str, Mapping[str, str]],
        other_words: Mapping[str, str],
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self.headings = headings
        self.other_words = other_words
        self._places = {verb: place for verbs in headings.values() for verb, place in verbs.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, heading by heading."""
        del ctx
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a verb's module and gives its command; None for an unknown verb."""
        del ctx
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command), place  # noqa: S101 -- a slip in the table of verbs
        return command

    def sections(self, ctx: click.Context) -> Mapping[str, Sequence[str]]:
        """The verbs of each heading."""
        del ctx
        return {heading: list(verbs) for heading, verbs in self.headings.items()}


class Verb(click.Command):
    """A command whose help page has examples and names the API call that does the same.

    Args:
        examples: Command lines, each perhaps with ``  # why`` behind it.
        python: The API call.
        takes_sql: Whether it takes SQL, which can begin with a comment and so look like an option.
        **settings: What ``click.Command`` takes.
    """

    def __init__(
        self,
        *arguments: Any,
        examples: Sequence[str],
        python: str,
        takes_sql: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self.takes_sql = takes_sql
        self.examples = tuple(examples)
        self.python = python

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Reads the words of the command line; SQL that begins with ``-- a comment`` is no option."""
        if self.takes_sql:
            args = [f"\n{word}" if _is_commented(word) else word for word in args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes examples, options and the API call, in this order."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
        super().format_options(ctx, formatter)
        with formatter.section("Python"):
            formatter.write(f"{'':>{formatter.current_indent}}{self.python}\n")


def _is_commented(word: str) -> bool:
    """Whether a word is SQL below a comment: no option has blanks in its name, or several lines."""
    name = word.partition("=")[0]
    return word.startswith("--") and ("\n" in word or any(each.isspace() for each in name))


def verb(
    name: str, *, examples: Sequence[str], python: str, **settings: Any
) -> Callable[[Callable[..., Any]], Verb]:
    """Makes a function a verb; the options that stand before every verb are accepted after it too.

    Args:
        name: The verb.
        examples: Command lines for the help page.
        python: The API call for the help page.
        **settings: What ``click.Command`` takes.
    """

    def decorate(function: Callable[..., Any]) -> Verb:
        command = click.command(name, cls=Verb, examples=examples, python=python, **settings)(function)
        command.params.extend(_global_options())
        return command

    return decorate


def _global_options() -> list[click.Parameter]:
    def option(*names: str, visible: bool = False, flag: bool = True, text: str = "") -> click.Option:
        return click.Option(
            names, is_flag=flag, expose_value=False, hidden=not visible, help=text, callback=_remember
        )

    return [
        option("--json", "as_json", visible=True, text="Answer with one JSON document."),
        option("-q", "--quiet"),
        option("--debug"),
        option("-c", "--config", flag=False),
    ]


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    session = context.find_object(Session)
    if session is not None and value and parameter.name:
        setattr(session, parameter.name, value)
