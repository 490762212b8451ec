"""What holds still reserve though they have expired, freed for the request that is short of it.

A sweep gives it back sooner or later. A request that is short of it does not wait: what its accounts' expired holds
reserve is given back between its attempts, in units of work of their own, and it is done again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial

from myapp.api.request import AnyRequest, Units
from myapp.ledger import errors, operations, queries

# What may be otherwise once they are freed.
SHORT = (errors.OutOfLimits, errors.ConditionFailed)
# How much of the time that is left may go into giving back; the rest is for doing it again.
SHARE = 0.5


@contextmanager
def considered(request: AnyRequest, paths: Collection[str] = ()) -> Iterator[None]:
    """Do what is in the block as if holds ended the moment they expire, those of `paths` and of the account short."""
    try:
        yield
    except SHORT as refusal:
        named = {*paths, refusal.account} if isinstance(refusal, errors.OutOfLimits) else set(paths)
        if queries.has_expired_holds(request.dbsession, request.ledger, now=request.now, paths=named):
            request.db_mend(refusal, partial(_give_back, request, named))
        raise


def _give_back(request: AnyRequest, paths: Collection[str], units: Units) -> None:
    """Give back portion by portion what is expired, or wait until others have; what there is no time for stays."""
    enough = request.db_deadline.remaining() * SHARE
    while request.db_deadline.remaining() > enough:
        with units.begin(readonly=False) as session:
            if not queries.has_expired_holds(session, request.ledger, now=request.now, paths=paths):
                return
            operations.free_expired(session, request.ledger, now=request.now, paths=paths)
