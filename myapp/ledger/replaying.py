"""Record again what was recorded before, in this ledger or another: in its order, and to the same effect.

Whether a hold had expired was judged when it happened, and is not judged again by the clock of today. All else is
checked as ever. Ids and recorded times are new.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from myapp.ledger import errors, operations, taking
from myapp.ledger.holding import releasing
from myapp.ledger.holding.releasing import Release
from myapp.ledger.model import (
    BATCH_MAX,
    BATCH_POSTINGS_MAX,
    POSTINGS_MAX,
    HoldPost,
    Ledger,
    NewReversal,
    NewTransaction,
)
from myapp.ledger.recording import Form

__all__ = ["Deed", "Happened", "Release", "replay"]

Deed: TypeAlias = NewTransaction | HoldPost | Release | NewReversal
DeedT = TypeVar("DeedT", bound=Deed)

# Ids sort by their microsecond, so what several calls record keeps its order.
TICK = timedelta(microseconds=1)
# Of holds so many that a request takes them however many lines they have.
AT_ONCE = {
    NewTransaction: BATCH_MAX,
    HoldPost: BATCH_POSTINGS_MAX // POSTINGS_MAX,
    Release: BATCH_POSTINGS_MAX // POSTINGS_MAX,
    NewReversal: 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something that was recorded, under the id that it had."""

    id: UUID
    deed: Deed


def replay(
    session: Session, ledger: Ledger, happened: Sequence[Happened], *, now: datetime, form: Form
) -> Sequence[UUID]:
    """Record what happened, all or none, and return the ids it has here.

    Shape: in its order. A deed names what it belongs to by the id that it has here, or by that of one before it.
    Raises:
        Refusal: as `operations` refuses it; `index` is the place in `happened`.
    """
    runs = list(_runs(happened))
    if len(runs) > 1:
        taking.take(session, ledger, _needs(happened, now=now + len(runs) * TICK), now=now)
    known: dict[UUID, UUID] = {}
    made: list[UUID] = []
    for number, run in enumerate(runs):
        deeds = [_named_here(each.deed, known) for each in run]
        try:
            ids = _record(session, ledger, deeds, now=now + number * TICK, form=form)
        except errors.Refusal as refusal:
            refusal.index = len(made) + (refusal.index or 0)
            raise
        known.update(zip((each.id for each in run), ids, strict=True))
        made += ids
    return made


def _runs(happened: Sequence[Happened]) -> Iterator[Sequence[Happened]]:
    """Yield deeds of one kind that follow each other, as many as one call takes."""
    for kind, run in itertools.groupby(happened, key=lambda each: type(each.deed)):
        while some := list(itertools.islice(run, AT_ONCE[kind])):
            yield some


def _needs(happened: Sequence[Happened], *, now: datetime) -> taking.Needs:
    """Return what it refers to in the ledger; `now` is when the last of it is recorded."""
    needs = taking.Needs()
    made: set[UUID] = set()
    for each in happened:
        deed = each.deed
        if isinstance(deed, NewTransaction):
            needs.named.update((posting.account, posting.currency) for posting in deed.postings)
        elif isinstance(deed, NewReversal):
            needs.originals.update({deed.transaction_id} - made)
        else:
            needs.holds.update({deed.hold_id} - made)
        if not isinstance(deed, Release) and deed.reference is not None:
            needs.references.add(deed.reference)
        needs.is_late = needs.is_late or (deed.effective_at is not None and deed.effective_at < now)
        made.add(each.id)
    return needs


def _named_here(deed: Deed, known: Mapping[UUID, UUID]) -> Deed:
    if isinstance(deed, HoldPost | Release):
        return replace(deed, hold_id=known.get(deed.hold_id, deed.hold_id))
    if isinstance(deed, NewReversal):
        return replace(deed, transaction_id=known.get(deed.transaction_id, deed.transaction_id))
    return deed


def _record(session: Session, ledger: Ledger, deeds: Sequence[Deed], *, now: datetime, form: Form) -> Sequence[UUID]:
    """Record deeds of one kind."""
    if releases := _of(Release, deeds):
        return releasing.give_back(session, ledger, releases, now=now)
    if posts := _of(HoldPost, deeds):
        made = operations.post_holds(session, ledger, posts, now=now, judges_expiry=False)
    elif reversals := _of(NewReversal, deeds):
        made = operations.reverse(session, ledger, *reversals, now=now)
    else:
        made = operations.record(session, ledger, _of(NewTransaction, deeds), now=now, form=form, judges_expiry=False)
    return [each.id for each in made.names]


def _of(kind: type[DeedT], deeds: Sequence[Deed]) -> Sequence[DeedT]:
    return [each for each in deeds if isinstance(each, kind)]
