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


@dataclass(frozen=True, slots=True)
class _Hook:
    """A callback as a hook of the transaction, whose log names a failed one by its text."""

    callback: Callback
    request: str

    def __call__(self, is_committed: bool) -> None:
        if is_committed:
            self.callback()

    def __str__(self) -> str:
        return f"{self.callback!r}, to be called after the commit of {self.request}"


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
    transaction.addAfterCommitHook(_Hook(callback, name if known is None else f"{name} (id {known})"))
