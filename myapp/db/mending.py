"""What is done between two attempts at a request, so that the next one succeeds where this one was refused.

    def buy(request):
        try:
            ...
        except SoldOut as refusal:
            request.db_mend(refusal, restock)
            raise

    def restock(units):
        with units.begin(readonly=False) as session:
            ...

The attempt that failed is undone by then and holds nothing. Whether there is a next one is for `retry` to say.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import pyramid_retry
from pyramid.request import Request
from sqlalchemy import exc as sa_exc

from myapp.db import errors
from myapp.db.afterwards import Units

log = logging.getLogger(__name__)

MENDING = "db_mending"

Mend = Callable[[Units], None]


def db_mend(request: Request, error: Exception, mend: Mend) -> None:
    """Have the request done again after `mend`, if `error` is what it ends in and attempts are left."""
    pyramid_retry.mark_error_retryable(error)
    setattr(request, MENDING, (error, mend))


def mend(request: Request, error: BaseException) -> None:
    """Do what was asked for with this error, again where another unit of work was in the way.

    What fails for good is left to the next attempt, which meets what this one met.
    """
    of, work = request.__dict__.get(MENDING, (None, None))
    for attempts_left in (2, 1, 0) if of is error else ():
        try:
            work(Units(request))
            break
        except (errors.DatabaseError, sa_exc.SQLAlchemyError, *errors.DRIVER_ERRORS) as exc:
            meaning = errors.meaning(exc)
            if not attempts_left or meaning is None or not meaning.is_retryable:
                log.warning("what was to be mended for %s was not: %s", request.method, exc)
                break
