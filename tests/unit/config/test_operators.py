"""Settings of operators: checked when a config is loaded, key by key, and never shown."""

from __future__ import annotations

import pytest

from tests.unit.config.conftest import Load, Problems


def _operators(text: str) -> str:
    return f"version: 1\npii:\n  operators:\n    {text}\n"


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("PERSON: {operator: mask, keep_frist: 4}", "PERSON.keep_frist", "did you mean `keep_first`?"),
        ("PERSON: {operator: mask, keep_last: many}", "PERSON.keep_last", "should be a valid integer"),
        ("PERSON: {operator: mask, char: xx}", "PERSON.char", "at most 1 character"),
        ("PERSON: {operator: hash, salt: pepper}", "PERSON.salt", "it is keyed"),
        ("PERSON: {operator: nullify, with: x}", "PERSON.with", "it takes none"),
        ("PERSON: {operator: fpe, alphabet: digit}", "PERSON.alphabet", "did you mean `digits`?"),
        ("PERSON: {operator: fpe, alphabet: '0011'}", "PERSON.alphabet", "names a character twice"),
        ("PERSON: {operator: date_shift, days: 0}", "PERSON.days", "greater than or equal to 1"),
        ("PERSON: {operator: generalize}", "PERSON", "needs `step`, `bins`, `to` or `keep_first`"),
        ("PERSON: {operator: generalize, to: moon}", "PERSON.to", "'month'"),
        ("PERSON: {operator: generalize, step: 5, to: month}", "PERSON.to", "two ways"),
        ("PERSON: {operator: fake, locale: Germany}", "PERSON.locale", "of the form"),
        ("PERSON: {operator: hash, version: 0}", "PERSON.version", "greater than or equal to 1"),
    ],
)
def test_wrong_settings(problems: Problems, text: str, path: str, message: str) -> None:
    (problem,) = problems(_operators(text))
    assert problem.line == 4
    assert problem.path == f"pii.operators.{path}"
    assert message in problem.message


def test_all_of_them_at_once(problems: Problems) -> None:
    found = problems(_operators("PERSON: {operator: mask, keep_frist: 4, char: xx}"))
    assert {problem.path.rpartition(".")[2] for problem in found} == {"keep_frist", "char"}


def test_what_came_from_a_variable_is_not_shown(problems: Problems) -> None:
    text = (
        '{A: {operator: mask, char: "${S}", "k": "${S}"}, B: {operator: hash, key: "${S}", version: "${S}"},'
        ' C: {operator: generalize, to: "${S}"}, D: {operator: fpe, alphabet: "${S}"},'
        ' E: {operator: fake, locale: "${S}"}}'
    )
    found = problems(f"version: 1\npii: {{operators: {text}}}\n", environ={"S": "canary-7f3aa"})
    assert len(found) >= 6
    assert not [str(each) for each in found if "canary" in str(each)]


def test_a_key_is_named_and_never_written(load: Load, problems: Problems) -> None:
    named = load(_operators("PERSON: {operator: tokenize, key: research}"))
    assert named.pii.operators["PERSON"].settings == {"key": "research"}
    (problem,) = problems(_operators("PERSON: {operator: tokenize, key: K3y/+material==}"))
    assert "a secret is written into the file" in problem.message
    (problem,) = problems(
        _operators('PERSON: {operator: tokenize, key: "${K}"}'), environ={"K": "K3y/+material=="}
    )
    assert "names a key of the lake" in problem.message
    assert "material" not in str(problem)


def test_operators_of_presidio_take_what_presidio_takes(load: Load) -> None:
    config = load(_operators("PERSON: {operator: presidio_mask, masking_char: '#', chars_to_mask: 3}"))
    assert config.pii.operators["PERSON"].settings == {"masking_char": "#", "chars_to_mask": 3}


def test_paths_begin_with_a_column(load: Load, problems: Problems) -> None:
    schema = "schema: {id: long, tags: 'array<string>', doc: string}, changes: {schema: freeze}"
    table = "version: 1\ntables: {t: {%s, pii: {%s}}}\n"
    load(table % (schema, '"tags[]": PERSON, "doc$.user.email": EMAIL_ADDRESS, "`id`{key}": PERSON'))
    (problem,) = problems(table % (schema, '"tgas[]": PERSON'))
    assert problem.path == 'tables.t.pii."tgas[]"'
    assert "did you mean `tags`?" in problem.message


def test_text_says_how_a_column_is_masked(load: Load) -> None:
    pii = (
        load(
            """
        version: 1
        tables:
          t:
            pii:
              a: PERSON
              b: [PERSON, URL]
              c: {entity: PERSON, text: true}
              d: {entity: [A, B], text: false}
        """
        )
        .tables["t"]
        .pii
    )
    assert {name: each.is_text for name, each in pii.items()} == {
        "a": False,
        "b": True,
        "c": True,
        "d": False,
    }
    shown = {name: each.model_dump(by_alias=True) for name, each in pii.items()}
    assert shown == {
        "a": "PERSON",
        "b": ["PERSON", "URL"],
        "c": {"entity": "PERSON", "text": True},
        "d": {"entity": ["A", "B"], "text": False},
    }
