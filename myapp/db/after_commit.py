"""What is to be done once the request's work is safely committed, and only then.

    request.after_commit(lambda: mail.send(receipt))

The callbacks of the attempt that succeeds run in order, after its COMMIT and before the response. One that fails is
logged with the request and changes nothing: the commit has happened. What must not be lost is no callback but a row,
written in the same session and worked off by a `dispatcher.Dispatcher`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyramid.request import Request
from transaction.interfaces import NoTransaction

from myapp.db import errors

Callback = Callable[[], object]

CALLED = "db_called_back"


@dataclass(frozen=True, slots=True)
class _Hook:
    """A callback as a hook of the transaction, whose log names a failed one by its text."""

    callback: Callback
    request: Request
    name: str

    def __call__(self, is_committed: bool) -> None:
        if is_committed:
            self.request.__dict__[CALLED] = True
            self.callback()

    def __str__(self) -> str:
        return f"{self.callback!r}, to be called after the commit of {self.name}"


def after_commit(request: Request, callback: Callback) -> None:
    """Call back if the request's transaction is committed, a read-only one included, and not otherwise.

    The request's session has ended by then and given its connection back; for the database open a `session_scope`.

    Raises:
        SessionOutsideTransaction: no transaction of this request is under way.
    """
    name = f"the request {request.method} {request.path}"
    known = getattr(request, "request_id", None)
    try:
        transaction = request.tm.get()
    except NoTransaction:
        raise errors.SessionOutsideTransaction(
            f"request.after_commit() was called outside the transaction of {name}: before it began, or after it was "
            "committed or aborted. Use it in the view, or in another callback."
        ) from None
    transaction.addAfterCommitHook(_Hook(callback, request, name if known is None else f"{name} (id {known})"))


def was_called(request: Request) -> bool:
    """Say whether a callback of this attempt has been called, so that there must be no other attempt."""
    return CALLED in request.__dict__
