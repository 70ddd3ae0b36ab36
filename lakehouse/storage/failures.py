"""Turns what went wrong in a store into an error that says what happened and what to do.

The libraries' own texts hold whole server answers (with access keys, signatures and tokens in them), so
nothing is passed on but codes, and a cut and cleaned first line where no code is known.
"""

from __future__ import annotations

import builtins
import errno
import re
from dataclasses import dataclass

from obstore.exceptions import NotSupportedError, PermissionDeniedError, UnauthenticatedError

from lakehouse.errors import StorageError

_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_ERRNO = re.compile(r"\(os error (\d+)\)")
_TRANSPORT = re.compile(r"HttpError \{\s*kind: (\w+)")
_METADATA_SERVICE = ("latest/api/token", "latest/meta-data", "computeMetadata/v1", "metadata/identity")
_PLAIN_TEXT = "InvalidContentType"
_REGION_TEXT = "incorrectly configured region"
_DETAIL_LENGTH = 160


@dataclass(frozen=True, slots=True)
class Symptoms:
    """The few facts of a library's error that are safe to look at.

    Args:
        code: The store's own error code, as ``NoSuchBucket``.
        status: HTTP status.
        number: The operating system's errno.
        transport: How the connection failed: ``Connect``, ``Timeout``, ``Interrupted``, ``Request``, ...
        unsupported: The library itself says that there is no such operation.
        denied: The library calls it a matter of permission.
        credentials: It failed while looking for credentials.
        region: The store redirects to another region.
        plain: The other side answered an encrypted greeting with something else.
        absent: There is no such thing (an object, or what it would be in).
        beyond_end: The range that was asked for starts after the object's end.
        detail: The first line, cut and cleaned.
    """

    code: str | None = None
    status: int | None = None
    number: int | None = None
    transport: str | None = None
    unsupported: bool = False
    denied: bool = False
    credentials: bool = False
    region: bool = False
    plain: bool = False
    absent: bool = False
    beyond_end: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Cause:
    what: str
    advice: str
    codes: frozenset[str] = frozenset()
    statuses: frozenset[int] = frozenset()
    numbers: frozenset[int] = frozenset()
    transports: frozenset[str] = frozenset()

    def explains(self, symptoms: Symptoms) -> bool:
        return (
            symptoms.code in self.codes
            or symptoms.status in self.statuses
            or symptoms.number in self.numbers
            or symptoms.transport in self.transports
        )


_NO_BUCKET = _Cause(
    "the bucket does not exist",
    "create it, or correct the bucket's name in storage.root",
    codes=frozenset({"NoSuchBucket", "InvalidBucketName", "ContainerNotFound"}),
    statuses=frozenset({404}),
)
_NO_CREDENTIALS = _Cause(
    "no credentials were found",
    "set access_key_id and secret_access_key in storage.options (or their AWS_ variables), "
    "or skip_signature: true for a public bucket",
)
_WRONG_REGION = _Cause(
    "the bucket is in another region",
    "set region in storage.options to the bucket's region",
    codes=frozenset(
        {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
    ),
)
_PLAIN = _Cause(
    "what answers there does not speak TLS",
    "if it is a store of your own without TLS, write http:// in endpoint_url of storage.options",
)
_DENIED = _Cause(
    "access was denied",
    "check the credentials in storage.options and that they may read, write, list and delete there",
    codes=frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem"}),
    statuses=frozenset({401, 403}),
)
_UNSUPPORTED = _Cause(
    "the store has no such operation",
    "use a store that implements it",
    codes=frozenset({"NotImplemented", "MethodNotAllowed"}),
    statuses=frozenset({405, 501}),
)

_CAUSES: tuple[_Cause, ...] = (
    _Cause(
        "no space is left",
        "free space (or raise the quota) and run it again; nothing half written is visible",
        codes=frozenset({"XMinioStorageFull", "InsufficientStorage", "QuotaExceeded", "EntityTooLarge"}),
        statuses=frozenset({507}),
        numbers=frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG}),
    ),
    _Cause(
        "permission was denied",
        "give the user of this process read and write permission on the folder",
        numbers=frozenset({errno.EACCES, errno.EPERM}),
    ),
    _Cause(
        "the file system is read-only", "remount it or use another folder", numbers=frozenset({errno.EROFS})
    ),
    _Cause(
        "a file is in the way of a folder, or a folder of a file",
        "look at what lies at that path and move it away",
        numbers=frozenset({errno.ENOTDIR, errno.EISDIR, errno.ELOOP}),
    ),
    _Cause(
        "the name is too long for the store", "use shorter names", numbers=frozenset({errno.ENAMETOOLONG})
    ),
    _Cause(
        "too many files are open",
        "raise the limit of open files (ulimit -n) or run less at once",
        numbers=frozenset({errno.EMFILE, errno.ENFILE}),
    ),
    _Cause(
        "the disk failed",
        "check the disk and the system log before writing again",
        numbers=frozenset({errno.EIO, errno.ESTALE}),
    ),
    _NO_BUCKET,
    _Cause(
        "the credentials were refused",
        "check access_key_id, secret_access_key and session_token in storage.options",
        codes=frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity"}),
    ),
    _Cause(
        "the credentials have expired",
        "get new ones and set them in storage.options",
        codes=frozenset({"ExpiredToken", "TokenRefreshRequired", "RequestExpired"}),
    ),
    _Cause(
        "this machine's clock differs too much from the store's",
        "set the clock (NTP) and run it again",
        codes=frozenset({"RequestTimeTooSkewed"}),
    ),
    _WRONG_REGION,
    _UNSUPPORTED,
    _DENIED,
    _Cause(
        "the store is too busy",
        "run it again later, or with fewer writers at once",
        codes=frozenset({"SlowDown", "TooManyRequests", "Throttling", "RequestLimitExceeded"}),
        statuses=frozenset({429}),
    ),
    _Cause(
        "the store did not answer in time",
        "run it again; raise timeout in storage.options if the store is slow",
        codes=frozenset({"RequestTimeout"}),
        statuses=frozenset({408, 504}),
        transports=frozenset({"Timeout"}),
    ),
    _Cause(
        "the store can't be reached",
        "check endpoint_url in storage.options, the network and that the store is running",
        transports=frozenset({"Connect", "Request"}),
    ),
    _Cause(
        "the connection broke before the answer came",
        "run it again once the network and the store are well",
        transports=frozenset({"Interrupted", "Decode"}),
    ),
    _Cause(
        "the store had an error of its own",
        "run it again later; the store's log tells more",
        codes=frozenset({"InternalError", "ServiceUnavailable"}),
        statuses=frozenset({500, 502, 503}),
    ),
)


def read_symptoms(error: BaseException, secrets: tuple[str, ...] = ()) -> Symptoms:
    """Take the safe facts out of an error of obstore or of the operating system.

    Args:
        error: What was raised.
        secrets: Values that must not show in the detail.
    """
    text = str(error)
    own = error.errno if isinstance(error, OSError) else None
    number = own if own is not None else _number(_ERRNO, text)
    status = _number(_STATUS, text)
    return Symptoms(
        code=_first(_CODE, text),
        status=status,
        number=number,
        transport=_first(_TRANSPORT, text),
        unsupported=isinstance(error, NotSupportedError | builtins.NotImplementedError),
        denied=isinstance(error, PermissionDeniedError | UnauthenticatedError),
        credentials=any(mark in text for mark in _METADATA_SERVICE),
        region=_REGION_TEXT in text,
        plain=_PLAIN_TEXT in text,
        absent=isinstance(error, FileNotFoundError) or number == errno.ENOTDIR,
        beyond_end=status == 416 or "StartTooLarge" in text,
        detail=_detail(text, secrets),
    )


def explain(symptoms: Symptoms, *, action: str, place: str, reached_by: str = "") -> StorageError:
    """The error that a user sees.

    Args:
        symptoms: What is known.
        action: What was tried, as ``write 'a/b'``.
        place: The storage, as its URL.
        reached_by: Host and port of the store, where it was given as an endpoint.
    """
    cause = _find_cause(symptoms)
    told = symptoms.code or (f"HTTP {symptoms.status}" if symptoms.status else None)
    where = f"{place} at {reached_by}" if reached_by else place
    if cause is None:
        reason = f"the store answered {told}" if told else symptoms.detail or "the store failed"
        return StorageError(f"can't {action} in {where}: {reason}", advice="check that the store is well")
    suffix = f" [{told}]" if told else ""
    return StorageError(f"can't {action} in {where}: {cause.what}{suffix}", advice=cause.advice)


def is_bucket_missing(symptoms: Symptoms) -> bool:
    """Whether what is absent is the bucket, by the store's own word."""
    return symptoms.code in _NO_BUCKET.codes


def is_busy(symptoms: Symptoms) -> bool:
    """Whether a conditional write was refused only since another request was under way.

    S3 says 412 if an object is there; its 409 tells nothing about the object, so it has to be asked again
    (S3 API reference, PutObject). Azure's 409 means that the object is there.
    """
    return symptoms.status == 409 and symptoms.code != "BlobAlreadyExists"


def is_unsupported(symptoms: Symptoms) -> bool:
    """Whether the store says that it has no such operation (rather than that it failed)."""
    return symptoms.unsupported or _UNSUPPORTED.explains(symptoms)


def _find_cause(symptoms: Symptoms) -> _Cause | None:
    if symptoms.credentials:
        return _NO_CREDENTIALS
    if symptoms.region:
        return _WRONG_REGION
    if symptoms.plain:
        return _PLAIN
    if symptoms.unsupported:
        return _UNSUPPORTED
    # A code says more than the status or errno that it came with.
    by_code = next((cause for cause in _CAUSES if symptoms.code in cause.codes), None)
    found = by_code or next((cause for cause in _CAUSES if cause.explains(symptoms)), None)
    return found or (_DENIED if symptoms.denied else None)


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    found = _first(pattern, text)
    return int(found) if found else None


def _detail(text: str, secrets: tuple[str, ...]) -> str:
    line = re.split(r"\n|<\?xml|<Error", text, maxsplit=1)[0]
    for secret in secrets:
        line = line.replace(secret, "***")
    line = re.sub(r"https?://\S+", "the store", line).strip()
    return line if len(line) <= _DETAIL_LENGTH else line[:_DETAIL_LENGTH].rstrip() + "..."
