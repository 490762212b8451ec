"""What only HTTP can get wrong, and the one place where an error of any room becomes a problem document.

    ApiError
    ├── MalformedJson          400 malformed-json
    ├── BadParameter           400 bad-parameter
    ├── Unauthenticated        401 unauthenticated
    ├── Forbidden              403 forbidden
    ├── NotAcceptable          406 not-acceptable
    ├── TooLarge               413 too-large
    ├── UnsupportedMediaType   415 unsupported-media-type
    ├── UrlNotAllowed          422 url-not-allowed
    └── ValidationFailed       422 validation-failed, with the field errors

The exception views run while the database transaction is being given up, or after it was (pyramid_tm gives them what
fails at commit), so they ask the database nothing. They leave
`request.exception` as it is: pyramid_retry reads it, and may repeat the request and drop the answer made here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pyramid_retry
from pyramid.exceptions import URLDecodeError
from pyramid.httpexceptions import HTTPClientError, HTTPServerError
from pyramid.response import Response
from pyramid.view import exception_view_config

from myapp import errors as root
from myapp.api import pointers, problems, schemas
from myapp.api.exchange import deeds
from myapp.api.holds import schemas as holds_schemas
from myapp.api.request import AnyRequest
from myapp.db import errors as db_errors
from myapp.ledger import errors as ledger_errors

log = logging.getLogger(__name__)


class ApiError(root.MyappError):
    """The request cannot be understood or may not be made."""


class MalformedJson(ApiError):
    """The body is not one JSON value in UTF-8."""

    code = "malformed-json"


class BadParameter(ApiError):
    """The address, a query parameter or a header has an unusable value."""

    code = "bad-parameter"


class Unauthenticated(ApiError):
    """No key was sent, or none that is valid."""

    code = "unauthenticated"


class Forbidden(ApiError):
    """The caller is known, and may not do this."""

    code = "forbidden"


class NotAcceptable(ApiError):
    """The client accepts nothing that the address answers."""

    code = "not-acceptable"


class TooLarge(ApiError):
    """The body is larger than the setting allows."""

    code = "too-large"


class UnsupportedMediaType(ApiError):
    """The body is declared to be something else than JSON."""

    code = "unsupported-media-type"


class UrlNotAllowed(ApiError):
    """Nothing is sent to such an address."""

    code = "url-not-allowed"


class ValidationFailed(ApiError):
    """The body is JSON, but not what the view takes."""

    code = "validation-failed"

    def __init__(self, errors: Sequence[problems.FieldError]) -> None:
        super().__init__(
            "; ".join(f"{error.pointer}: {error.detail}" if error.pointer else error.detail for error in errors)
        )
        self.errors = tuple(errors)


# Bodies that hold many, of which a refusal names the first at fault.
GROUPS = (schemas.NewBatch, holds_schemas.HoldsPost, holds_schemas.HoldsVoid, deeds.Deeds)

HTTP_CODES = {
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "too-large",
    415: "unsupported-media-type",
}


@exception_view_config(root.MyappError)
def refused(exc: root.MyappError, request: AnyRequest) -> Response:
    """Answer a refusal that one of the rooms raised on purpose."""
    if exc.code not in problems.KINDS:
        return failed(exc, request)
    return problems.response(request, exc.code, str(exc))


@exception_view_config(ValidationFailed)
def invalid(exc: ValidationFailed, request: AnyRequest) -> Response:
    """Answer a body that does not fit its schema."""
    return problems.response(request, exc.code, str(exc), errors=exc.errors)


@exception_view_config(ledger_errors.Refusal)
def refused_in_place(exc: ledger_errors.Refusal, request: AnyRequest) -> Response:
    """Answer a refusal of the ledger, pointing at what in the body caused it."""
    wanted = getattr(request, "wanted", None)
    return problems.response(
        request,
        exc.code,
        str(exc),
        errors=[problems.FieldError(pointer=pointers.of_refusal(exc, wanted), detail=str(exc))],
        index=exc.index if isinstance(wanted, GROUPS) else None,
        transaction_id=exc.transaction_id,
    )


@exception_view_config(ledger_errors.AlreadyExists)
def taken(exc: ledger_errors.AlreadyExists, request: AnyRequest) -> Response:
    """Answer that something has this name already, pointing at the name."""
    pointer = pointers.of_name(getattr(request, "wanted", None))
    return problems.response(
        request, exc.code, str(exc), errors=[problems.FieldError(pointer=pointer, detail=str(exc))]
    )


@exception_view_config(HTTPClientError)
@exception_view_config(HTTPServerError)
def refused_by_pyramid(exc: HTTPClientError | HTTPServerError, request: AnyRequest) -> Response:
    """Answer what the framework refuses: an unknown address, a permission that is missing."""
    code = HTTP_CODES.get(exc.status_int, "bad-parameter" if exc.status_int < 500 else "internal")
    return problems.response(request, code, _detail(exc) or problems.KINDS[code].explanation)


def _detail(exc: HTTPClientError | HTTPServerError) -> str | None:
    """Return what a refusal says of itself: of a missing permission, and of a header that makes no sense."""
    denied = getattr(exc, "result", None)
    if denied is not None:
        return str(denied.msg)
    return str(exc.detail) if exc.status_int == 400 and exc.detail else None


@exception_view_config(URLDecodeError)
def undecodable(_exc: URLDecodeError, request: AnyRequest) -> Response:
    """Answer an address whose escapes are not UTF-8."""
    return problems.response(request, BadParameter.code, "The address is not UTF-8 once its %-escapes are decoded.")


@exception_view_config(Exception)
def failed(exc: Exception, request: AnyRequest) -> Response:
    """Answer the database's faults by their meaning, anything else as a fault of ours with its traceback logged."""
    meaning = db_errors.translate(exc)
    if meaning is not None:
        # Of one that will be repeated the last attempt tells.
        level = logging.INFO if pyramid_retry.is_error_retryable(request, exc) else logging.WARNING
        log.log(level, "request_id=%s %s: %s", request.request_id, meaning.code, exc)
        return problems.response(request, meaning.code, str(meaning))
    log.error("request_id=%s failed", request.request_id, exc_info=exc)
    return problems.response(request, "internal", problems.KINDS["internal"].explanation)
