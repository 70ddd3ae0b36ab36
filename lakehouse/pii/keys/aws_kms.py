"""AWS KMS: makes data keys, wraps and unwraps them (AWS KMS API: GenerateDataKey, Decrypt)."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from lakehouse.errors import KeysError, MissingPackageError
from lakehouse.pii.keys.wrapped import Binding, Wrapped

_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 10
_ATTEMPTS: Final = 3


class _Told(NamedTuple):
    what: str
    advice: str


_DENIED: Final = _Told(
    "does not allow this",
    "let this user call kms:GenerateDataKey and kms:Decrypt with the key that `keys.key_id` names",
)
_CREDENTIALS: Final = _Told(
    "does not accept the credentials",
    "give AWS credentials that are valid now: variables, a profile or a role, as for other AWS tools",
)
_STATE: Final = _Told(
    "can't use the wrapping key as it is",
    "it is disabled or about to be deleted: enable it, or cancel the deletion. Without it no key opens",
)
_OTHER_KEY: Final = _Told(
    "can't unwrap this key with this wrapping key",
    "the wrapped key was changed in the state database, or is another's: restore the database from a backup",
)
_BUSY: Final = _Told("is busy", "try again")
_CODES: Final[Mapping[str, _Told]] = MappingProxyType(
    {
        "AccessDeniedException": _DENIED,
        "NotAuthorizedException": _DENIED,
        "UnrecognizedClientException": _CREDENTIALS,
        "InvalidClientTokenId": _CREDENTIALS,
        "InvalidSignatureException": _CREDENTIALS,
        "SignatureDoesNotMatch": _CREDENTIALS,
        "ExpiredTokenException": _CREDENTIALS,
        "MissingAuthenticationTokenException": _CREDENTIALS,
        "NotFoundException": _Told(
            "does not know the wrapping key", "check `keys.key_id`, the region and the account"
        ),
        "DisabledException": _STATE,
        "KMSInvalidStateException": _STATE,
        "InvalidKeyUsageException": _Told(
            "has a wrapping key that does not wrap", "name a symmetric key for encryption in `keys.key_id`"
        ),
        "InvalidCiphertextException": _OTHER_KEY,
        "IncorrectKeyException": _OTHER_KEY,
        "KeyUnavailableException": _BUSY,
        "DependencyTimeoutException": _BUSY,
        "KMSInternalException": _BUSY,
        "LimitExceededException": _BUSY,
        "ThrottlingException": _BUSY,
    }
)
_CLIENT: Final[Mapping[str, _Told]] = MappingProxyType(
    {
        "NoCredentialsError": _CREDENTIALS,
        "PartialCredentialsError": _CREDENTIALS,
        "CredentialRetrievalError": _CREDENTIALS,
        "TokenRetrievalError": _CREDENTIALS,
        "ProfileNotFound": _CREDENTIALS,
        "NoRegionError": _Told("can't be addressed without a region", "name one in `keys.region`"),
        "InvalidRegionError": _Told("has no such region", "check `keys.region`"),
    }
)
_AWAY: Final = _Told(
    "can't be reached", "check the network, `keys.region` and `keys.endpoint_url`, then try again"
)


class KmsWrapper:
    """`Wrapper` over AWS KMS. The client is made when it is first needed.

    Args:
        key_id: Id, ARN or alias of the wrapping key.
        region: AWS region; None means the environment's.
        endpoint_url: Another address of the service.
    """

    name = "aws_kms"

    def __init__(self, *, key_id: str, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._key_id = key_id
        self._region = region
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._client: Any = None

    def __repr__(self) -> str:
        return f"KmsWrapper({self._key_id!r})"

    def __reduce__(self) -> tuple[partial[KmsWrapper], tuple[()]]:
        again = partial(KmsWrapper, key_id=self._key_id, region=self._region, endpoint_url=self._endpoint_url)
        return again, ()

    def make(self, binding: Binding) -> Wrapped:
        """See `Wrapper.make`."""
        answer = self._ask(
            "generate_data_key", KeyId=self._key_id, KeySpec="AES_256", EncryptionContext=binding.pairs()
        )
        text = base64.b64encode(answer["CiphertextBlob"]).decode()
        return Wrapped(bytes(answer["Plaintext"]), text, by=str(answer["KeyId"]))

    def unwrap(self, text: str, binding: Binding, *, by: str) -> bytes:
        """See `Wrapper.unwrap`."""
        try:
            blob = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise self._error(_OTHER_KEY, "no base64") from None
        # The key that wrapped it, by its ARN: an alias can point elsewhere by now.
        answer = self._ask("decrypt", CiphertextBlob=blob, KeyId=by, EncryptionContext=binding.pairs())
        return bytes(answer["Plaintext"])

    def _ask(self, call: str, **settings: Any) -> Any:
        client = self._made()
        wrong = import_module("botocore.exceptions")
        try:
            return getattr(client, call)(**settings)
        except wrong.ClientError as error:
            # Only the code: the message can name users and roles.
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            raise self._error(_CODES.get(code), code) from None
        except (wrong.BotoCoreError, wrong.HTTPClientError) as error:
            raise self._error(_CLIENT.get(type(error).__name__, _AWAY), type(error).__name__) from None

    def _made(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._new_client()
            return self._client

    def _new_client(self) -> Any:
        try:
            boto3 = import_module("boto3")
            settings = import_module("botocore.config")
            wrong = import_module("botocore.exceptions")
        except ImportError:
            raise MissingPackageError(
                "the provider `aws_kms` needs boto3, which is not installed",
                advice='pip install "lakehouse[kms]"',
            ) from None
        patience = settings.Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        )
        try:
            # A session of its own: that of the module is not for several threads.
            return boto3.session.Session().client(
                "kms", region_name=self._region, endpoint_url=self._endpoint_url, config=patience
            )
        except (wrong.BotoCoreError, ValueError) as error:
            raise self._error(_CLIENT.get(type(error).__name__, _AWAY), type(error).__name__) from None

    def _error(self, told: _Told | None, code: str) -> KeysError:
        what, advice = told or ("failed", "the code says why, in the documentation of AWS KMS")
        return KeysError(f"AWS KMS {what} ({code}; wrapping key {self._key_id})", advice=advice)
