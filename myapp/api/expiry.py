"""What holds still reserve though they have expired, freed for the request that needs it.

A sweep gives it back sooner or later. A request that is short of it does not wait: it is repeated, and its next attempt
gives back what has expired before it does anything else, in its own unit of work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import pyramid_retry

from myapp.api.request import AnyRequest
from myapp.ledger import errors, operations, queries

# Where pyramid_retry counts the attempts at a request, from 0.
ATTEMPT = "retry.attempt"
# What may be otherwise once they are freed.
SHORT = (errors.InsufficientFunds, errors.LimitExceeded, errors.ConditionFailed)
# More than this of one request's accounts would be a job for `myapp sweep`.
HOLDS_MAX = 100


@contextmanager
def considered(request: AnyRequest, paths: Collection[str] | None = None) -> Iterator[None]:
    """Do what is in the block as if holds ended the moment they expire; with `paths`, those of these accounts."""
    is_repeated = request.environ.get(ATTEMPT, 0) > 0
    if is_repeated:
        operations.expire_holds(request.dbsession, request.ledger, now=request.now, limit=HOLDS_MAX, paths=paths)
    try:
        yield
    except SHORT as refusal:
        if not is_repeated and queries.has_expired_holds(request.dbsession, request.ledger, now=request.now):
            pyramid_retry.mark_error_retryable(refusal)
        raise
