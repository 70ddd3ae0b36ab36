"""HashiCorp Vault, and OpenBao: the transit engine makes, wraps and unwraps keys.

Vault HTTP API, transit: ``datakey/plaintext``, ``encrypt`` and ``decrypt``. A data key of Vault is bound to
nothing, so the key that it made is wrapped once more, with its purpose as associated data (Vault 1.9;
older ones leave that out).
"""

from __future__ import annotations

import base64
import binascii
import threading
from functools import partial
from importlib import import_module
from typing import Any, Final

from pydantic import SecretStr

from lakehouse.errors import KeysError, MissingPackageError
from lakehouse.pii.keys.vault_answers import VaultPlace, refusal
from lakehouse.pii.keys.wrapped import Binding, Wrapped

KEY_NAME: Final = "lakehouse"
"""The name of the transit key where the config has none."""

_SECONDS: Final = 10
_BITS: Final = 256


class VaultWrapper:
    """`Wrapper` over the transit engine of a Vault server. The client is made when it is first needed.

    Args:
        url: The server's address.
        mount: Mount point of the transit engine.
        key: Name of the transit key.
        namespace: The namespace, where the server has them.
        token: The token; None means ``VAULT_TOKEN`` or ``~/.vault-token``, as Vault's own tools take it.
    """

    name = "vault"

    def __init__(
        self,
        *,
        url: str,
        mount: str = "transit",
        key: str = KEY_NAME,
        namespace: str | None = None,
        token: SecretStr | None = None,
    ) -> None:
        self._url = url
        self._mount = mount.strip("/")
        self._key = key
        self._namespace = namespace
        self._token = token
        self._lock = threading.Lock()
        self._client: Any = None

    def __repr__(self) -> str:
        return f"VaultWrapper({self._url!r}, {self._by!r})"

    def __reduce__(self) -> tuple[partial[VaultWrapper], tuple[()]]:
        again = partial(
            VaultWrapper,
            url=self._url,
            mount=self._mount,
            key=self._key,
            namespace=self._namespace,
            token=self._token,
        )
        return again, ()

    @property
    def _by(self) -> str:
        return f"{self._mount}/{self._key}"

    def make(self, binding: Binding) -> Wrapped:
        """See `Wrapper.make`."""
        bound = _bound(binding)
        # Made first: `encrypt` would make a transit key that is not there, unasked.
        made = self._ask(
            "generate_data_key",
            mount=self._mount,
            name=self._key,
            key_type="plaintext",
            context=bound,
            bits=_BITS,
        )
        wrapped = self._ask(
            "encrypt_data",
            mount=self._mount,
            name=self._key,
            plaintext=made["plaintext"],
            context=bound,
            associated_data=bound,
        )
        return Wrapped(_material(made["plaintext"]), str(wrapped["ciphertext"]), by=self._by)

    def unwrap(self, text: str, binding: Binding, *, by: str) -> bytes:
        """See `Wrapper.unwrap`."""
        mount, _, key = by.rpartition("/")
        bound = _bound(binding)
        found = self._ask(
            "decrypt_data", mount=mount, name=key, ciphertext=text, context=bound, associated_data=bound
        )
        return _material(found["plaintext"])

    def _ask(self, call: str, *, mount: str, **settings: Any) -> Any:
        # One at a time: the session below is not for several threads.
        with self._lock:
            if self._client is None:
                self._client = self._new_client()
            wrong = import_module("hvac.exceptions")
            requests = import_module("requests")
            try:
                return getattr(self._client.secrets.transit, call)(mount_point=mount, **settings)["data"]
            except wrong.VaultError as error:
                place = VaultPlace(self._url, mount, str(settings["name"]))
                kind, said = type(error).__name__, error.errors or ()
                raise refusal(place, kind=kind, said=said, unwrapping=call == "decrypt_data") from None
            except (requests.RequestException, OSError):
                raise KeysError(
                    f"Vault can't be reached at {self._url}",
                    advice="see that it runs, and check `keys.url` and the certificates (VAULT_CACERT)",
                ) from None
            except (TypeError, KeyError, ValueError):
                raise KeysError(
                    f"what answers at {self._url} is no Vault server", advice="check `keys.url`"
                ) from None

    def _new_client(self) -> Any:
        try:
            hvac = import_module("hvac")
        except ImportError:
            raise MissingPackageError(
                "the provider `vault` needs hvac, which is not installed",
                advice='pip install "lakehouse[vault]"',
            ) from None
        token = None if self._token is None else self._token.get_secret_value()
        return hvac.Client(url=self._url, token=token, namespace=self._namespace, timeout=_SECONDS)


def _bound(binding: Binding) -> str:
    """What a key belongs to, as one text that can't be read in two ways; in base64, as Vault takes it."""
    text = "\n".join(f"{name}={value}" for name, value in binding.pairs().items())
    return base64.b64encode(text.encode()).decode()


def _material(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
