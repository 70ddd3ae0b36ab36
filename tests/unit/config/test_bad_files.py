"""Files that can't be used at all, and files with one mistake: each is told with its place and its cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.config import load_config
from lakehouse.errors import ConfigError

from .conftest import Problems


def _fails(path: Path | str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.exit_code == 2
    return caught.value


def test_a_missing_file(tmp_path: Path) -> None:
    error = _fails(tmp_path / "none.yaml")
    assert error.problems[0].message == "there is no such file"
    assert "lakehouse init" in error.advice


def test_a_folder(tmp_path: Path) -> None:
    assert _fails(tmp_path).problems[0].message == "is a folder, not a file"
    (tmp_path / "lakehouse.yaml").write_text("version: 1\n")
    assert str(tmp_path / "lakehouse.yaml") in _fails(tmp_path).advice


def test_a_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "can't be read" in _fails(tmp_path / "file" / "c.yaml").problems[0].message


@pytest.mark.parametrize("path", ["version: 1\n" * 500, "a\0b"])
def test_a_text_instead_of_a_path(path: str) -> None:
    assert "can't be read" in _fails(path).problems[0].message


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    error = _fails(path)
    assert "empty" in error.problems[0].message or "begins with keys" in error.problems[0].message


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"version: 1\nname: caf\xe9\n")
    (problem,) = _fails(path).problems
    assert (problem.line, problem.column) == (2, 10)
    assert "0xe9 is not UTF-8" in problem.message


def test_utf16(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("version: 1\n", encoding="utf-16")
    assert "not UTF-8" in _fails(path).problems[0].message


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: 1\r\nname: shop\r\n")
    assert load_config(path).name == "shop"


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("version: 1\nname: [a\n", 2, 7, "a `[` that is not closed"),
        ("version: 1\nstorage: {root: a\n", 2, 10, "a `{` that is not closed"),
        ("version: 1\nname: 'abc\n", 2, 7, "a quote that is not closed"),
        ("version: 1\nname: a: b\n", 2, 8, "a `:` that can't stand here"),
        ("version: 1\nstorage:\n\troot: x\n", 3, 1, "a tab; blanks indent"),
        ("version: 1\nname: @x\n", 2, 7, "cannot start any token"),
        ("version: 1\nname: *nobody\n", 2, 7, "without its anchor"),
        ("version: 1\n---\nversion: 1\n", 2, 1, "a second document"),
        ("version: 1\nname: a\x07b\n", 2, 8, "the character #x0007 is not allowed"),
        ("- version: 1\n", 1, 1, "begins with keys"),
        ("just text\n", 1, 1, "begins with keys"),
        ("version: 1\nname: !!python/object:os.system x\n", 2, 7, "the tag `python/object:os.system` is not"),
        ("version: 1\nname: !secret x\n", 2, 7, "the tag `!secret` is not understood"),
        ("version: 1\nname: !!int abc\n", 2, 7, "is no int"),
        ("version: 1\n? [a]\n: 1\n", 2, 3, "a key must be a text"),
        ("version: 1\nname: a\nname: b\n", 3, 1, "the key `name` is there twice, first on line 2"),
        ("version: 1\ntables: &a {x: *a}\n", 2, 9, "contains itself"),
        ("version: 1\ntables:\n  <<: 5\n", 3, 7, "`<<` takes an alias of a mapping"),
        ("name: x\n", 1, 1, "`version` is missing; begin with `version: 1`"),
        ("version: 2\nfrom_the_future: 1\n", 1, 10, "the format 2 is not known; this release reads 1"),
        ("version: one\n", 1, 10, "expected 1, got text"),
        ("version: true\n", 1, 10, "expected the number 1"),
        ("version: 1.0\n", 1, 10, "expected the number 1"),
    ],
)
def test_broken_files(problems: Problems, text: str, line: int, column: int, message: str) -> None:
    (problem,) = problems(text)
    assert (problem.line, problem.column) == (line, column)
    assert message in problem.message


def test_every_double_key_is_told(problems: Problems) -> None:
    found = problems("version: 1\nname: a\nname: b\nname: c\ntables:\n  t: {key: a, key: b}\n")
    assert [(each.line, each.column) for each in found] == [(3, 1), (4, 1), (6, 15)]


def test_aliases_can_not_blow_a_file_up(problems: Problems) -> None:
    lines = ["version: 1", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    found = problems("\n".join(lines))
    assert any("too large" in each.message for each in found)
    assert len(found) < 20


def test_deep_nesting_is_no_crash(problems: Problems) -> None:
    assert "too deeply" in problems("version: " + "[" * 100 + "]" * 100)[0].message
    assert "too deeply" in problems("version: " + "[" * 5000 + "]" * 5000)[0].message


_TABLE = "version: 1\ntables:\n  t:\n    "


@pytest.mark.parametrize(
    ("text", "line", "column", "path", "message"),
    [
        ("version: 1\nnmae: x\n", 2, 1, "nmae", "unknown key `nmae`; did you mean `name`?"),
        ("version: 1\nnmae:\n", 2, 1, "nmae", "did you mean `name`?"),
        ("version: 1\nexpect: []\n", 2, 1, "expect", "it belongs to `tables.<name>`"),
        ("version: 1\ncompletely_else: 1\n", 2, 1, "completely_else", "keys here: `version`, `name`, "),
        (_TABLE + "kye: [id]\n", 4, 5, "tables.t.kye", "did you mean `key`?"),
        (_TABLE + "format: rows\n", 4, 5, "tables.t.format", "it belongs to `tables.<name>.changes`"),
        (_TABLE + "column_schema: {a: long}\n", 4, 5, "tables.t.column_schema", "unknown key"),
        (
            _TABLE + "changes: {format: debezum}\n",
            4,
            23,
            "tables.t.changes.format",
            "did you mean `debezium`?",
        ),
        (_TABLE + "changes: rows\n", 4, 14, "tables.t.changes", "expected a section with keys, got text"),
        (_TABLE + "changes: {tombstones: 7}\n", 4, 27, "tables.t.changes.tombstones", "a duration such as"),
        (
            _TABLE + "changes: {tombstones: 7 days}\n",
            4,
            27,
            "tables.t.changes.tombstones",
            "did you mean `7d`?",
        ),
        (_TABLE + "changes: {times: epoch}\n", 4, 22, "tables.t.changes.times", "one of `adaptive`,"),
        (_TABLE + "changes: {encodings: {a: base46}}\n", 4, 30, "tables.t.changes.encodings.a", "`base64`"),
        (_TABLE + "key: {a: 1}\n", 4, 10, "tables.t.key", "expected a list, got a section"),
        (_TABLE + "key: [id, id]\n", 4, 10, "tables.t.key", "`id` is named twice"),
        (_TABLE + "key: ['']\n", 4, 11, "tables.t.key[0]", "is empty"),
        (_TABLE + "key: [1]\n", 4, 11, "tables.t.key[0]", "expected text, got a number; put it in quotes"),
        (_TABLE + "owner: yes\n    description: 5\n", 5, 18, "tables.t.description", "put it in quotes"),
        (_TABLE + "change_feed: yes\n", 4, 18, "tables.t.change_feed", "expected true or false"),
        (_TABLE + "history: ful\n", 4, 14, "tables.t.history", "did you mean `full`?"),
        (_TABLE + "history: {track: [a]}\n", 4, 22, "tables.t.history.track", "needs `mode: full`"),
        (
            _TABLE + "history: {mode: full, track: [a], track_except: [b]}\n",
            4,
            53,
            "tables.t.history.track_except",
            "exclude each other",
        ),
        (
            _TABLE + "schema: {a: lnog}\n",
            4,
            17,
            "tables.t.schema.a",
            "unknown type `lnog`; did you mean `long`?",
        ),
        (_TABLE + "schema: {a: varchar}\n", 4, 17, "tables.t.schema.a", "did you mean `string`?"),
        (_TABLE + "schema: {a: 5}\n", 4, 17, "tables.t.schema.a", "expected a type such as long"),
        (_TABLE + "schema: {}\n", 4, 13, "tables.t.schema", "needs at least one entry"),
        (_TABLE + "pii: {mail: EMAIL_ADRESS}\n", 4, 17, "tables.t.pii.mail", "did you mean `EMAIL_ADDRESS`?"),
        (
            _TABLE + "pii: {mail: email_address}\n",
            4,
            17,
            "tables.t.pii.mail",
            "did you mean `EMAIL_ADDRESS`?",
        ),
        (_TABLE + "pii: {mail: Mail}\n", 4, 17, "tables.t.pii.mail", "write capitals"),
        (_TABLE + "pii: {mail: []}\n", 4, 17, "tables.t.pii.mail", "needs at least one entry"),
        (_TABLE + "pii: {mail: {shred: x}}\n", 4, 11, "tables.t.pii.mail", "`entity` is missing"),
        (_TABLE + "expect: [{name: a}]\n", 4, 14, "tables.t.expect[0]", "needs `check`"),
        (
            _TABLE + "expect: [{name: a, freshness: 1h, on_fail: drop}]\n",
            4,
            48,
            "tables.t.expect[0].on_fail",
            "`drop` is for rows",
        ),
        (_TABLE + "retention: [{name: a}]\n", 4, 17, "tables.t.retention[0]", "says not what it is about"),
        (
            _TABLE + "retention: [{name: a, column: c, action: delete}]\n",
            4,
            17,
            "tables.t.retention[0]",
            "`keep` is missing",
        ),
        (
            _TABLE + "retention: [{name: a, column: c, keep: 3y}]\n",
            4,
            17,
            "tables.t.retention[0]",
            "`action` is",
        ),
        (
            _TABLE + "retention: [{name: a, column: c, keep: 0d, action: delete}]\n",
            4,
            44,
            "tables.t.retention[0].keep",
            "`0d` keeps nothing",
        ),
        (
            _TABLE + "retention: [{name: a, column: c, keep: 3 years, action: delete}]\n",
            4,
            44,
            "tables.t.retention[0].keep",
            "did you mean `3y`?",
        ),
        (
            _TABLE + "retention: [{name: a, column: c, keep: 3y, action: archive}]\n",
            4,
            17,
            "tables.t.retention[0]",
            "needs `to`",
        ),
        (
            _TABLE + "retention: [{name: a, column: c, keep: 3y, action: delete, to: x}]\n",
            4,
            68,
            "tables.t.retention[0].to",
            "belongs to `action: archive`",
        ),
        (
            _TABLE + "retention: [{name: a, versions: {last: 1}, keep: 3y}]\n",
            4,
            54,
            "tables.t.retention[0].keep",
            "belongs to a rule with `column`",
        ),
        (
            _TABLE + "retention: [{name: a, versions: {last: 1}, orphans: 3d}]\n",
            4,
            57,
            "tables.t.retention[0].orphans",
            "belong into two rules",
        ),
        (
            _TABLE + "retention: [{name: a, versions: {}}]\n",
            4,
            27,
            "tables.t.retention[0].versions",
            "keeps no version at all",
        ),
        (
            _TABLE + "retention: [{name: a, versions: {last: -1}}]\n",
            4,
            44,
            "tables.t.retention[0].versions.last",
            "must be at least 0",
        ),
        (
            _TABLE + "retention: [{name: a, orphans: 7d, timezone: Europe/Berlim}]\n",
            4,
            50,
            "tables.t.retention[0].timezone",
            "did you mean `Europe/Berlin`?",
        ),
        ("version: 1\ntables: [t]\n", 2, 9, "tables", "expected a section with keys, got a list"),
        ("version: 1\ntables: {t: 5}\n", 2, 13, "tables.t", "expected a section with keys, got a number"),
        ("version: 1\nstorage: {root: 'gcs://b/x'}\n", 2, 17, "storage.root", "did you mean `gs`?"),
        ("version: 1\nstorage: {root: 's3:/b/x'}\n", 2, 17, "storage.root", "two slashes"),
        ("version: 1\nstorage: {root: 's3//b/x'}\n", 2, 17, "storage.root", "a colon is missing"),
        ("version: 1\nstorage: {root: 's3://'}\n", 2, 17, "storage.root", "names no bucket"),
        ("version: 1\nstorage: {root: ''}\n", 2, 17, "storage.root", "the root is empty"),
        ("version: 1\nstorage: {root: 's3://k:s@b/x'}\n", 2, 17, "storage.root", "credentials don't belong"),
        ("version: 1\nstorage: {options: {region: [a]}}\n", 2, 29, "storage.options.region", "expected text"),
        ("version: 1\nstate: postgres://h/d\n", 2, 8, "state", "did you mean `postgresql`?"),
        ("version: 1\nstate: mysql://h/d\n", 2, 8, "state", "use SQLite (sqlite:///folder/state.db) or Post"),
        ("version: 1\nstate: postgresql+asyncpg://h/d\n", 2, 8, "state", "kept in `postgresql+asyncpg`"),
        ("version: 1\nstate: state.db\n", 2, 8, "state", "is no database URL"),
        ("version: 1\nstate: 5\n", 2, 8, "state", "expected a database URL"),
        ("version: 1\nkeys: {provider: valt}\n", 2, 18, "keys.provider", "did you mean `vault`?"),
        ("version: 1\nkeys: {provider: vault}\n", 2, 1, "keys", "needs `url`"),
        (
            "version: 1\nkeys: {provider: env, path: x}\n",
            2,
            29,
            "keys.path",
            "belongs to the provider `file`",
        ),
        ("version: 1\npii: {min_score: 1.5}\n", 2, 18, "pii.min_score", "must be at most 1"),
        ("version: 1\npii: {min_score: high}\n", 2, 18, "pii.min_score", "expected a number"),
        (
            "version: 1\npii: {recognizers: [{name: A_B, regex: '(a'}]}\n",
            2,
            40,
            "pii.recognizers[0].regex",
            "is no regular expression",
        ),
        (
            "version: 1\npii: {recognizers: [{name: A_B, regex: '(a+)+b'}]}\n",
            2,
            40,
            "pii.recognizers[0].regex",
            "a repeat right within a repeat",
        ),
        (
            "version: 1\npii: {recognizers: [{name: A_B, regex: '\\p{Foo}'}]}\n",
            2,
            40,
            "pii.recognizers[0].regex",
            "unknown property",
        ),
        (
            "version: 1\npii: {recognizers: [{name: A_B, regex: 'x*'}]}\n",
            2,
            40,
            "pii.recognizers[0].regex",
            "matches the empty text",
        ),
        ("version: 1\npii: {countries: [gb]}\n", 2, 19, "pii.countries[0]", "did you mean `uk`?"),
        ("version: 1\npii: {language: german}\n", 2, 17, "pii.language", "two small letters"),
        (
            "version: 1\npii: {recognizers: [{name: A_B}]}\n",
            2,
            21,
            "pii.recognizers[0]",
            "`regex` or `deny_list`",
        ),
        (
            "version: 1\npii: {operators: {PERSON: {operator: tokenise}}}\n",
            2,
            38,
            "pii.operators.PERSON.operator",
            "did you mean `tokenize`?",
        ),
        (
            "version: 1\npii: {operators: {Person: {operator: x}}}\n",
            2,
            19,
            "pii.operators.Person",
            "`PERSON`?",
        ),
        ("version: 1\nrequests: {due: soon}\n", 2, 17, "requests.due", "`soon` is no period"),
        ("version: 1\nrequests: {history: cutt}\n", 2, 21, "requests.history", "did you mean `cut`?"),
        ("version: 1\njobs: {j: {schedule: every 1h}}\n", 2, 8, "jobs.j", "`do` is missing"),
        ("version: 1\njobs: {j: {do: vacum}}\n", 2, 16, "jobs.j.do", "did you mean `vacuum`?"),
        ("version: 1\njobs: {j: {do: pii_scan}}\n", 2, 16, "jobs.j.do", "did you mean `pii-scan`?"),
        ("version: 1\njobs: {j: {do: vacuum, tables: 5}}\n", 2, 32, "jobs.j.tables", "`all` or a list"),
        (
            "version: 1\njobs: {j: {do: vacuum, schedule: hourly}}\n",
            2,
            34,
            "jobs.j.schedule",
            "is no schedule",
        ),
        ("version: 1\njobs: {j: {do: vacuum, retries: -1}}\n", 2, 33, "jobs.j.retries", "must be at least 0"),
        ("version: 1\njobs: {j: {do: vacuum, retries: 1.5}}\n", 2, 33, "jobs.j.retries", "a whole number"),
        ("version: 1\nalerts: {to: x}\n", 2, 9, "alerts", "expected a list, got a section"),
        ("version: 1\nalerts: [{to: 'json://x', on: []}]\n", 2, 31, "alerts[0].on", "at least one entry"),
        (
            "version: 1\nalerts: [{to: 'json://x', on: fail}]\n",
            2,
            31,
            "alerts[0].on",
            "did you mean `failed`?",
        ),
        ("version: 1\nalerts: [{to: me}]\n", 2, 15, "alerts[0].to", "is no Apprise URL"),
        ("version: 1\nroles: {r: {columns: hidden}}\n", 2, 22, "roles.r.columns", "one of `masked`, `clear`"),
        (
            "version: 1\nsubjects: {s: {identifiers: {id: customers}}}\n",
            2,
            34,
            "subjects.s.identifiers.id",
            "names a column as `table.column`",
        ),
        ("version: 1\nsubjects: {s: {rows: []}}\n", 2, 12, "subjects.s", "`identifiers` is missing"),
    ],
)
def test_one_mistake(
    problems: Problems, text: str, line: int, column: int, path: str, message: str, tmp_path: Path
) -> None:
    (problem,) = problems(text)
    assert problem.file == str(tmp_path / "lakehouse.yaml")
    assert (problem.line, problem.column, problem.path) == (line, column, path)
    assert message in problem.message


def test_subject_rows_say_what_they_need(problems: Problems) -> None:
    found = problems(
        """
        version: 1
        tables: {t: {}}
        subjects:
          s:
            identifiers: {id: t.id}
            rows:
              - {table: t, where: {id: id}, do: anonymize}
              - {table: t, where: {id: id}, do: keep}
              - {table: t, where: {id: id}, do: delete, columns: [a]}
              - {table: t, where: {}, do: delete}
        """
    )
    assert [each.line for each in found] == [8, 9, 10, 11]
    assert "needs `columns`" in found[0].message
    assert "needs `ground`" in found[1].message
    assert found[2].path == "subjects.s.rows[2].columns"
    assert found[3].message.startswith("`where` is missing")


def test_a_mistake_in_an_alias_is_told_where_it_is_written(problems: Problems) -> None:
    found = problems(
        """
        version: 1
        tables:
          a: {changes: &c {format: debezum}}
          b: {changes: *c}
        """
    )
    assert {(each.line, each.path) for each in found} == {
        (4, "tables.a.changes.format"),
        (4, "tables.b.changes.format"),
    }


def test_a_key_with_a_line_break_makes_one_line_of_a_problem(problems: Problems) -> None:
    (problem,) = problems('version: 1\ntables: {t: {schema: {id: long}, key: [id], "a\\nb": 1}}\n')
    assert problem.path == 'tables.t."a\\nb"'
