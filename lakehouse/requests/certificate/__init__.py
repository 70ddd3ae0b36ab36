"""Certificates: what was done for a person, signed, and linked to the one before."""

from __future__ import annotations

from lakehouse.requests.certificate.document import NOT_COVERED, Certificate, Content, Signed
from lakehouse.requests.certificate.issuing import issue, search_part
from lakehouse.requests.certificate.page import page
from lakehouse.requests.certificate.signing import as_document, public_bytes, public_pem
from lakehouse.requests.certificate.verify import Check, Verdict, verify_certificate, verify_chain

__all__ = [
    "NOT_COVERED",
    "Certificate",
    "Check",
    "Content",
    "Signed",
    "Verdict",
    "as_document",
    "issue",
    "page",
    "public_bytes",
    "public_pem",
    "search_part",
    "verify_certificate",
    "verify_chain",
]
