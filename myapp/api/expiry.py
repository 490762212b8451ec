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
SHORT = (errors.InsufficientFunds, errors.LimitExceeded, errors.ConditionFailed)


@contextmanager
def considered(request: AnyRequest, paths: Collection[str] | None = None) -> Iterator[None]:
    """Do what is in the block as if holds ended the moment they expire; with `paths`, those of these accounts."""
    try:
        yield
    except SHORT as refusal:
        if queries.has_expired_holds(request.dbsession, request.ledger, now=request.now, paths=paths):
            request.db_mend(refusal, partial(_give_back, request, paths))
        raise


def _give_back(request: AnyRequest, paths: Collection[str] | None, units: Units) -> None:
    given_back = operations.EXPIRED_PORTION
    while given_back == operations.EXPIRED_PORTION:
        with units.begin(readonly=False) as session:
            # Read anew: its period may be closed meanwhile.
            ledger = queries.get_ledger(session, request.ledger.name)
            given_back = operations.expire_holds(
                session, ledger, now=request.now, limit=operations.EXPIRED_PORTION, paths=paths
            )
