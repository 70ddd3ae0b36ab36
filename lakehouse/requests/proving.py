"""The verbs about what proves that a request was carried out: certificates, and the key that checks them."""

from __future__ import annotations

from lakehouse.errors import NotFoundError
from lakehouse.requests.certificate import Signed, Verdict, public_bytes, public_pem, verify_certificate
from lakehouse.requests.certificate.verify import previous_of
from lakehouse.requests.looking import Looking
from lakehouse.requests.status import TERMINAL
from lakehouse.requests.view import RequestView


class Proving(Looking):
    """Hands out the certificates of a lake, and checks them."""

    def certificate(self, request_id: str) -> Signed:
        """The certificate of a request that was carried out.

        Args:
            request_id: Which.

        Raises:
            NotFoundError: There is no such request, or it has no certificate (yet).
        """
        state = self._state(request_id)
        state.requests.get(request_id)
        found = state.certificates.of_requests([request_id]).get(request_id)
        if found is None:
            raise _no_certificate(self.show(request_id))
        return Signed.model_validate_json(found.document)

    def certificates(self) -> list[Signed]:
        """All certificates of the lake, from the first."""
        state = self._control.existing()
        return (
            []
            if state is None
            else [Signed.model_validate_json(each.document) for each in state.certificates.list()]
        )

    def verify_certificate(
        self,
        document: bytes | str,
        *,
        public_key: bytes | None = None,
        previous: bytes | str | None = None,
    ) -> Verdict:
        """Checks a certificate: its form, its signature, and the one before it.

        Args:
            document: Its JSON.
            public_key: The 32 bytes of the public key that signed it; None means this lake's.
            previous: The one before it; None means as this lake keeps it.

        Raises:
            DataError: It is no JSON.
            KeysError: The lake has no key to compare with.
        """
        return verify_certificate(
            document,
            public_key=public_key,
            ring=None if public_key is not None else self._ring(),
            previous=previous if previous is not None else self._before(document),
        )

    def public_key(self) -> str:
        """The public key by which others check this lake's certificates, in PEM.

        Raises:
            KeysError: There is none yet.
        """
        return public_pem(public_bytes(self._ring().current("sign")))

    def _before(self, document: bytes | str) -> str | None:
        """The certificate that one names as the one before it, where this lake has it."""
        state = self._control.existing()
        wanted = previous_of(document)
        if state is None or wanted is None:
            return None
        return next((each.document for each in state.certificates.list() if each.digest == wanted), None)


def _no_certificate(request: RequestView) -> NotFoundError:
    name = request.id
    if request.kind == "access":
        return NotFoundError(
            f"request {name} has no certificate: it asks for access, and only erasures have one",
            advice=f"`lakehouse request show {name}` tells what was answered",
        )
    if request.status in TERMINAL:
        advice = f"`lakehouse request show {name}` tells why; the person can ask again by a new request"
    elif request.promise is not None and request.approved_by is None and request.promise.earliest is None:
        advice = f"`lakehouse request show {name}` tells what it waits for"
    else:
        advice = f"`lakehouse request run {name}` carries it out"
    return NotFoundError(f"request {name} has no certificate: it is {request.status}", advice=advice)
