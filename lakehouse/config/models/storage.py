"""Where the lake lies, and which keys protect it: ``storage`` and ``keys``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    SecretStr,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from lakehouse.config.models.base import KIND, SHOWN, Model, Name, RuleError
from lakehouse.config.nearest import suggestion
from lakehouse.config.secrets import SecretUrl, is_secret_name, mask_url

SCHEMES: Final = ("s3", "s3a", "gs", "az", "abfs", "abfss", "adl", "memory", "file")
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/*)(.*)", re.DOTALL)


def _root(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    match = _URL.fullmatch(text)
    if not text:
        raise ValueError("the root is empty: name a folder, or s3://bucket/prefix")
    if match is None:
        slip = re.match(r"(s3a?|gs|az|abfss?)//", text)
        if slip is not None:
            raise ValueError(f"a colon is missing: write {slip.group(1)}://bucket/prefix")
        return text
    scheme, slashes, rest = match.group(1).lower(), match.group(2), match.group(3)
    if scheme not in SCHEMES:
        if not slashes:
            return text
        raise ValueError(f"a store of the kind `{scheme}` is not known{suggestion(scheme, SCHEMES)}")
    if len(slashes) < 2:
        raise ValueError(f"write two slashes after `{scheme}:`, as {scheme}://bucket/prefix")
    if "@" in rest.partition("/")[0] and scheme not in {"abfs", "abfss"}:
        raise ValueError("credentials don't belong into the root: give them in `storage.options`")
    if scheme not in {"memory", "file"} and (len(slashes) > 2 or not rest.strip("/")):
        raise ValueError(f"the root names no bucket: write {scheme}://bucket/prefix")
    if scheme == "file":
        return "/" + rest if len(slashes) > 2 else rest
    return f"{scheme}://{rest}"


def _option(value: object) -> str | SecretStr:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, SecretStr):
        return value
    if isinstance(value, str):
        return str(value)
    raise ValueError("expected text, a number, true or false")


def _hide(options: Mapping[str, str | SecretStr]) -> dict[str, str | SecretStr]:
    return {name: _hidden(name, value) for name, value in options.items()}


def _hidden(name: str, value: str | SecretStr) -> str | SecretStr:
    if not isinstance(value, str):
        return value
    if is_secret_name(name):
        return SecretStr(value)
    # Addresses, of a proxy for instance, can have a password in them.
    return SecretUrl(value) if "://" in value and mask_url(value) != value else value


def _address(value: str) -> str:
    if "@" in value.partition("://")[2].partition("/")[0]:
        raise ValueError("credentials don't belong into an address")
    return value


Root = Annotated[str, BeforeValidator(_root)]
Address = Annotated[Name, AfterValidator(_address)]
Option = Annotated[
    str | SecretStr,
    PlainValidator(_option),
    SHOWN,
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}], KIND: "text, number or flag"}
    ),
]


class StorageConfig(Model):
    """Where the tables lie."""

    root: Root = Field(
        default="./lake",
        description=(
            "The folder, or bucket and prefix, that holds the tables, each in a folder of its name. A "
            "relative folder is meant from the config file. Buckets: s3://bucket/prefix, gs://, az://."
        ),
    )
    options: Annotated[dict[str, Option], AfterValidator(_hide)] = Field(
        default_factory=dict,
        description=(
            "Settings of the store: endpoint_url, region, access_key_id, secret_access_key, session_token, "
            "allow_http and what else the storage library knows, by these names. Secrets come from variables."
        ),
    )

    @property
    def is_local(self) -> bool:
        """Whether the root is a folder of this machine."""
        return "://" not in self.root

    def plain_options(self) -> dict[str, str]:
        """The options as the storage library takes them, secrets included: not for showing.

        Returns:
            Names and values.
        """
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.options.items()
        }


_OF_PROVIDER: Final[Mapping[str, tuple[str, ...]]] = {
    "file": ("path",),
    "env": ("prefix",),
    "aws_kms": ("key_id", "region", "endpoint_url"),
    "vault": ("url", "mount", "key_id", "namespace", "token"),
}


class KeysConfig(Model):
    """Where the keys come from that mask, sign and shred."""

    provider: Literal["file", "env", "aws_kms", "vault"] = Field(
        default="file",
        description=(
            "file: files in a folder that only you can read; env: environment variables; aws_kms: wrapped by "
            "AWS KMS; vault: wrapped by HashiCorp Vault."
        ),
    )
    path: Name = Field(
        default="./keys",
        description="Folder of the key files (file). A relative folder is meant from the config file.",
    )
    prefix: Name = Field(
        default="LAKEHOUSE_KEY_", description="How the environment variables that hold keys begin (env)."
    )
    key_id: Name | None = Field(
        default=None,
        description=(
            "The key that wraps: its id, ARN or alias (aws_kms), or its name in the transit engine (vault; "
            "otherwise `lakehouse`)."
        ),
    )
    region: Name | None = Field(
        default=None, description="AWS region (aws_kms); otherwise the environment's."
    )
    endpoint_url: Address | None = Field(
        default=None, description="Another address of the service (aws_kms)."
    )
    url: Address | None = Field(default=None, description="Address of the Vault server (vault).")
    mount: Name = Field(default="transit", description="Mount point of the transit engine (vault).")
    namespace: Name | None = Field(default=None, description="Namespace (vault).")
    token: SecretStr | None = Field(
        default=None,
        description="Token, from a variable (vault); otherwise that of `VAULT_TOKEN` or `~/.vault-token`.",
    )

    @model_serializer(mode="wrap")
    def _of_provider(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {
            name: value
            for name, value in handler(self).items()
            if name == "provider" or name in _OF_PROVIDER[self.provider]
        }

    @model_validator(mode="after")
    def _fits_provider(self) -> KeysConfig:
        for name in self.model_fields_set - {"provider"}:
            if name not in _OF_PROVIDER[self.provider]:
                owners = [f"`{each}`" for each, names in _OF_PROVIDER.items() if name in names]
                of = f"the provider{'s' if len(owners) > 1 else ''} {' and '.join(owners)}"
                raise RuleError(f"`{name}` belongs to {of}, not `{self.provider}`", at=name)
        needed = {"aws_kms": "key_id", "vault": "url"}.get(self.provider)
        if needed is not None and getattr(self, needed) is None:
            raise RuleError(f"the provider `{self.provider}` needs `{needed}`")
        return self
