"""Secrets come from outside the file and are never shown."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config import as_dict, load_config, render
from lakehouse.config.secrets import is_secret_name, mask_url, may_be_written
from lakehouse.errors import ConfigError

from .conftest import Load, Problems

_CANARY = "canary-7f3a"
_FULL = """
version: 1
storage:
  root: s3://bucket/lake
  options:
    {access_key_id: "${CANARY}", secret_access_key: "${CANARY}", session_token: "${CANARY}", region: eu}
state: postgresql://lake:${CANARY}@db/lake?password=${CANARY}
keys: {provider: vault, url: "https://vault.example", token: "${CANARY}"}
pii: {operators: {PERSON: {operator: presidio_encrypt, key: "${CANARY}"}}}
alerts: [{to: "slack://${CANARY}/x/y"}, {to: "${CANARY_URL}"}]
"""
_ENVIRON = {"CANARY": _CANARY, "CANARY_URL": f"mailto://me:{_CANARY}@mail.example"}


def test_a_loaded_config_never_shows_its_secrets(load: Load) -> None:
    config = load(_FULL, environ=_ENVIRON)
    shown = [
        repr(config),
        str(config),
        f"{config.storage} {config.state} {config.alerts} {config.keys.token}",
        config.model_dump_json(),
        str(config.model_dump()),
        str(config.model_dump(mode="json")),
        render(config),
        str(as_dict(config)),
        logging.LogRecord("x", 20, "x", 1, "%s %r", (config, config), None).getMessage(),
    ]
    assert not any(_CANARY in text for text in shown)


def test_the_secrets_are_there_for_those_who_need_them(load: Load) -> None:
    config = load(_FULL, environ=_ENVIRON)
    assert config.storage.plain_options() == {
        "access_key_id": _CANARY,
        "secret_access_key": _CANARY,
        "session_token": _CANARY,
        "region": "eu",
    }
    assert config.state.get_secret_value() == f"postgresql://lake:{_CANARY}@db/lake?password={_CANARY}"
    assert config.alerts[0].to.get_secret_value() == f"slack://{_CANARY}/x/y"
    assert config.keys.token is not None
    assert config.keys.token.get_secret_value() == _CANARY
    assert config.pii.operators["PERSON"].settings["key"].get_secret_value() == _CANARY


def test_masks(load: Load) -> None:
    shown = as_dict(load(_FULL, environ=_ENVIRON))
    assert shown["storage"]["options"]["access_key_id"] == "********"
    assert shown["storage"]["options"]["region"] == "eu"
    assert shown["state"] == "postgresql://lake:********@db/lake?password=********"
    assert shown["alerts"][0]["to"] == "slack://********"
    assert shown["alerts"][1]["to"] == "mailto://********"


@pytest.mark.parametrize("name", ["proxy_url", "endpoint_url"])
@pytest.mark.parametrize("url", ["http://lake:${CANARY}@proxy:3128", "http://proxy/?token=${CANARY}"])
def test_a_password_in_an_address_of_the_store_is_masked(load: Load, name: str, url: str) -> None:
    config = load(
        f'version: 1\nstorage: {{root: "s3://b", options: {{{name}: "{url}"}}}}\n', environ=_ENVIRON
    )
    assert _CANARY not in repr(config) + render(config) + config.model_dump_json()
    assert as_dict(config)["storage"]["options"][name] == url.replace("${CANARY}", "********")
    assert config.storage.plain_options()[name] == url.replace("${CANARY}", _CANARY)


@pytest.mark.parametrize("keys", ["provider: vault, url:", "provider: aws_kms, key_id: k, endpoint_url:"])
def test_the_address_of_a_key_service_has_no_password(problems: Problems, keys: str) -> None:
    (problem,) = problems(f'version: 1\nkeys: {{{keys} "https://me:${{CANARY}}@v"}}\n', environ=_ENVIRON)
    assert "credentials don't belong into an address" in problem.message
    assert _CANARY not in str(problem)


@pytest.mark.parametrize(
    "text",
    [
        "storage: {options: {proxy_url: 'http://me:canary-7f3a@proxy'}}",
        "storage: {options: {secret_access_key: canary-7f3a}}",
        "storage: {options: {AWS_SECRET_ACCESS_KEY: canary-7f3a}}",
        "storage: {options: {session_token: canary-7f3a}}",
        "storage: {options: {account_key: '${KEY:-canary-7f3a}'}}",
        "storage: {options: {sas_key: canary-7f3a}}",
        "storage: {options: {password: 73}}",
        "storage: {options: {credential: canary-7f3a}}",
        "keys: {provider: vault, url: 'https://v', token: canary-7f3a}",
        "pii: {operators: {PERSON: {operator: encrypt, key: canary-7f3a}}}",
        "state: postgresql://lake:canary-7f3a@db/lake",
        "state: postgresql://db/lake?password=canary-7f3a",
        "state: ${STATE:-postgresql://lake:canary-7f3a@db/lake}",
        "state: postgresql://lake:ca/na@ry-canary-7f3a@db/lake",
        "alerts: [{to: 'slack://canary-7f3a/b/c'}]",
        "alerts: [{to: 'https://hooks.example/canary-7f3a'}]",
        "alerts: [{to: 'mailto://me:canary-7f3a@mail.example'}]",
        "alerts: [{to: '${URL:-slack://canary-7f3a/b}'}]",
    ],
)
def test_a_secret_that_is_written_into_the_file(problems: Problems, text: str) -> None:
    (problem,) = problems(f"version: 1\n{text}\n")
    assert "a secret is written into the file" in problem.message
    assert "from a variable" in problem.message
    assert _CANARY not in str(problem)
    assert problem.line == 2


@pytest.mark.parametrize(
    "text",
    [
        "storage: {options: {access_key_id: AKIA123}}",
        "storage: {options: {proxy_url: 'http://me:${KEY}@proxy', endpoint_url: 'http://s3:8333'}}",
        "storage: {options: {secret_access_key: '${KEY}', region: eu, skip_signature: true}}",
        "storage: {options: {secret_access_key: '${KEY:-}'}}",
        "storage: {options: {session_token: 'Bearer ${KEY}'}}",
        "storage: {options: {application_credentials: /etc/key.json}}",
        "state: sqlite:///a@b/state.db",
        "state: postgresql://lake@db/lake",
        "state: postgresql://lake:${KEY}@db/lake",
        "alerts: [{to: 'mailto://team@mail.example'}, {to: 'json://localhost:8080/x'}]",
        "tables: {t: {key: token, schema: {token: string, password: string}}}",
    ],
)
def test_what_is_no_written_secret(load: Load, text: str) -> None:
    assert load(f"version: 1\n{text}\n", environ={"KEY": "k"}).version == 1


def test_values_of_variables_are_never_in_problems(problems: Problems) -> None:
    found = problems(
        """
        version: 1
        name: ["${S}"]
        storage: {root: "s3://${S}:${S}@b/x"}
        state: "${S}"
        tables:
          t:
            key: ["${S}", "${S}"]
            merge: ${S}
            change_feed: ${S}
            schema: {id: "${S}", b: "array<${S}>"}
            changes: {tombstones: "${S}", format: "${S}", encodings: {a: "${S}"}}
            pii: {a: "${S}"}
            retention: [{name: "${S}", column: c, keep: "${S}", action: "${S}", timezone: "${S}"}]
        subjects: {s: {identifiers: {a: "${S}"}, rows: [{table: "${S}", where: {a: "${S}"}, do: "${S}"}]}}
        pii: {min_score: "${S}", recognizers: [{name: A, regex: "(${S}"}], operators: {A: {operator: "${S}"}}}
        roles: {r: {tables: ["${S}"], columns: "${S}"}}
        jobs: {j: {do: "${S}", schedule: "${S}", retries: "${S}", after: ["${S}"], tables: "${S}"}}
        alerts: [{to: "${S}", on: ["${S}"]}]
        """,
        environ={"S": _CANARY},
    )
    assert len(found) > 20
    assert not [str(each) for each in found if _CANARY in str(each)]


def test_values_of_variables_are_never_in_findings(problems: Problems) -> None:
    found = problems(
        """
        version: 1
        tables:
          t:
            schema: {id: long}
            key: ["${S}"]
            changes: {schema: freeze, sequence: "${S}"}
            retention: [{name: a, column: "${S}", keep: 1y, action: delete}]
        roles: {r: {tables: ["${S}"]}}
        jobs: {j: {do: vacuum, tables: "${S}", after: "${S}"}}
        """,
        environ={"S": _CANARY},
    )
    assert len(found) == 6
    assert not [str(each) for each in found if _CANARY in str(each)]
    assert all("`${S}`" in each.message for each in found)


@pytest.mark.parametrize("root", [None, 7, [1]])
def test_a_mapping_with_secrets_that_fails_does_not_show_them(root: object) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(
            {
                "version": 1,
                "nope": root,
                "storage": {"options": {"secret_access_key": _CANARY, "token": [_CANARY]}},
                "state": _CANARY,
                "alerts": [{"to": _CANARY, "on": "x"}],
            }
        )
    assert _CANARY not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("secret_access_key", True),
        ("AWS_SESSION_TOKEN", True),
        ("access_key_id", True),
        ("account-key", True),
        ("sas", True),
        ("PASSWORD", True),
        ("client_secret", True),
        ("credentials", True),
        ("apikey", True),
        ("region", False),
        ("endpoint_url", False),
        ("allow_http", False),
        ("keyboard", False),
        ("sassafras", False),
        ("skip_signature", False),
        ("web_identity_token_file", False),
        ("google_application_credentials", False),
    ],
)
def test_secret_names(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


def test_an_id_of_a_key_may_be_written_but_is_masked() -> None:
    assert may_be_written("access_key_id")
    assert not may_be_written("secret_access_key")
    config = load_config({"version": 1, "storage": {"options": {"access_key_id": "AKIA"}}})
    assert "AKIA" not in repr(config)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///a/b.db", "sqlite:///a/b.db"),
        ("sqlite://", "sqlite://"),
        ("postgresql://u:p@h:5432/d", "postgresql://u:********@h:5432/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://h/d?password=p&x=1", "postgresql://h/d?password=********&x=1"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dp", "mssql+pyodbc:///?odbc_connect=********"),
        ("what is this", "********"),
        ("", ""),
    ],
)
def test_masked_urls(url: str, shown: str) -> None:
    assert mask_url(url) == shown


_PASSWORD = st.text(
    alphabet=st.characters(codec="ascii", exclude_characters="\0\n\r", min_codepoint=33),
    min_size=4,
    max_size=20,
).filter(lambda text: "$" not in text)


@given(password=_PASSWORD)
def test_no_password_survives_the_mask(password: str) -> None:
    marked = f"<{password}>"
    assert marked not in mask_url(f"postgresql+psycopg://user:{marked}@host:5432/database")
    assert "host" in mask_url(f"postgresql://user:{marked}@host")
