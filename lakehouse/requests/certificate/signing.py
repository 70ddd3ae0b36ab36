"""Signs certificates, with the lake's key of the purpose `sign`."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from lakehouse.errors import DataError
from lakehouse.pii.keys.ring import Key
from lakehouse.requests.certificate.canonical import canonical, joined
from lakehouse.requests.certificate.document import Certificate, Signed, SigningKey

PURPOSE = "sign"
_PUBLIC_BYTES = 32


def private_key(key: Key) -> Ed25519PrivateKey:
    """The private key that a lake's key stands for (RFC 8032; derived by HKDF).

    Args:
        key: A version of the key `sign`.
    """
    return Ed25519PrivateKey.from_private_bytes(key.derive("ed25519"))


def public_bytes(key: Key) -> bytes:
    """The public key, 32 bytes.

    Args:
        key: A version of the key `sign`.
    """
    return private_key(key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_pem(public: bytes) -> str:
    """A public key as openssl reads it (SubjectPublicKeyInfo, RFC 8410).

    Args:
        public: Its 32 bytes.
    """
    # What comes before is the same for all keys of Ed25519.
    content = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + public).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{content}\n-----END PUBLIC KEY-----\n"


def public_of_pem(pem: bytes) -> bytes:
    """The 32 bytes of a public key in a file.

    Args:
        pem: The file's content, or the key's 32 bytes in base64.

    Raises:
        DataError: It is no Ed25519 key.
    """
    try:
        found = load_pem_public_key(pem) if b"BEGIN" in pem else None
        raw = base64.b64decode(pem, validate=False) if found is None else b""
    except (ValueError, UnsupportedAlgorithm):
        raise _no_key() from None
    if isinstance(found, Ed25519PublicKey):
        return found.public_bytes_raw()
    if len(raw) != _PUBLIC_BYTES:
        raise _no_key()
    return raw


def _no_key() -> DataError:
    return DataError(
        "that is no public key of a lake", advice="it is an Ed25519 key in PEM, or its 32 bytes in base64"
    )


class Signer:
    """Signs certificates, many with one key.

    Args:
        key: A version of the key `sign`.
    """

    def __init__(self, key: Key) -> None:
        self._private = private_key(key)
        public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._about = SigningKey(version=key.version, public=base64.b64encode(public).decode())
        self._key = canonical(self._about.model_dump(mode="json"))

    def __call__(self, certificate: Certificate) -> tuple[Signed, bytes]:
        """Signs a certificate.

        Args:
            certificate: What it says.

        Returns:
            It, and the canonical bytes of `as_document`.
        """
        members = {"certificate": canonical(certificate.model_dump(mode="json")), "key": self._key}
        signature = base64.b64encode(self._private.sign(joined(members))).decode()
        signed = Signed(certificate=certificate, key=self._about, signature=signature)
        return signed, joined({**members, "signature": canonical(signature)})


def as_document(signed: Signed) -> dict[str, Any]:
    """A signed certificate as JSON can hold it.

    Args:
        signed: The certificate.
    """
    document: dict[str, Any] = signed.model_dump(mode="json")
    return document
