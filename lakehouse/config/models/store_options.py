"""The names that ``storage.options`` may hold. What they mean is told in `lakehouse.storage.options`."""

from __future__ import annotations

from typing import Final

STORE_OPTIONS: Final = (
    "endpoint_url",
    "region",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "virtual_hosted_style_request",
    "skip_signature",
    "unsigned_payload",
    "checksum_algorithm",
    "request_payer",
    "disable_tagging",
    "server_side_encryption",
    "sse_kms_key_id",
    "sse_bucket_key_enabled",
    "sse_customer_key_base64",
    "service_account",
    "service_account_key",
    "application_credentials",
    "account_name",
    "account_key",
    "sas_token",
    "client_id",
    "client_secret",
    "tenant_id",
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "timeout",
    "proxy_url",
    "max_retries",
    "retry_timeout",
    "fsync",
)
"""In the order in which they are listed to somebody who wrote another one."""
