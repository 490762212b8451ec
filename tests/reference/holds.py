"""What becomes of holds in the reference model, and of what is reversed: plain lists of what is left of each line.

Transactions are named by their places in the book; None is one that the ledger has not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime

from myapp.ledger.model import NewPosting, Side
from tests.reference import refusals
from tests.reference.book import Book, Draft, DraftLine, HeldState, Record, Recorded, Refused, UsedKey


@dataclass(frozen=True)
class Key:
    """An idempotency key as a request carries it; one used before `expired_before` counts as unused."""

    name: str
    request_hash: bytes
    expired_before: datetime


@dataclass(frozen=True)
class Post:
    """What to post of a hold: all that remains, or these postings of it."""

    place: int | None
    postings: Sequence[NewPosting] | None = None
    final: bool = False
    reference: str | None = None
    description: str | None = None
    effective_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reversal:
    place: int | None
    reference: str | None = None
    description: str | None = None
    effective_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def used(book: Book, key: Key | None) -> UsedKey | None:
    """Return what the key did before, unless that is too long ago."""
    found = book.keys.get(key.name) if key is not None else None
    if key is None or found is None or found.used_at < key.expired_before:
        return None
    if found.request_hash != key.request_hash:
        raise Refused("idempotency-mismatch")
    return found


def use(book: Book, key: Key | None, places: Sequence[int], now: datetime) -> None:
    if key is not None:
        book.keys[key.name] = UsedKey(key.request_hash, now, places)


def post(book: Book, request: Sequence[Post], *, now: datetime, key: Key | None) -> Recorded:
    for index, wanted in enumerate(request):
        if wanted.postings is not None:
            refusals.check_postings(wanted.postings, index)
    before = used(book, key)
    if before is not None:
        return Recorded(before.places, [book.records[place] for place in before.places], replayed=True)
    check_pending(book, [wanted.place for wanted in request], now)
    left = deepcopy(book.holds)
    drafts = [draft_of_post(book, left, index, wanted, now) for index, wanted in enumerate(request)]
    refusals.check_drafts(book, drafts)
    book.holds = left
    places = []
    for wanted, drafted in zip(request, drafts, strict=True):
        hold = known(wanted.place)
        places.append(write(book, drafted, wanted, default=book.records[hold].description, now=now, pending_of=hold))
        book.holds[hold].posts.append(places[-1])
    use(book, key, places, now)
    return Recorded(places, [book.records[place] for place in places], replayed=False)


def void(book: Book, places: Sequence[int | None], *, now: datetime, key: Key | None) -> Recorded:
    named = [place for place in places if place is not None]
    if len(set(named)) < len(named):
        raise Refused("validation-failed")
    is_new = used(book, key) is None
    if is_new:
        check_pending(book, places, now)
        release(
            book,
            [known(place) for place in places],
            "voided",
            counts_at=lambda place: max(now, book.records[place].effective_at),
        )
        use(book, key, [known(place) for place in places], now)
    found = [known(place) for place in places]
    return Recorded(found, [book.seen(place, now) for place in found], replayed=not is_new)


def expire(book: Book, *, now: datetime, limit: int, paths: Collection[str] | None = None) -> int:
    """Sweep the first that expired, perhaps only of these accounts.

    It counts from then, or from when the hold counts, or from the start of the open period: the latest of them.
    """

    def counts_at(place: int) -> datetime:
        hold = book.records[place]
        assert hold.expires_at is not None
        return max(hold.expires_at, hold.effective_at, book.locked_before or hold.expires_at)

    waiting = [
        (expires_at, place)
        for place, hold in book.holds.items()
        if hold.state == "pending" and (expires_at := book.records[place].expires_at) is not None and expires_at <= now
        if paths is None or any(entry.account in paths for entry in book.records[place].entries)
    ]
    swept = [place for _, place in sorted(waiting)[:limit]]
    release(book, swept, "expired", counts_at=counts_at)
    return len(swept)


def reverse(book: Book, wanted: Reversal, *, now: datetime, key: Key | None) -> Recorded:
    before = used(book, key)
    if before is not None:
        return Recorded(before.places, [book.records[place] for place in before.places], replayed=True)
    if wanted.place is None:
        raise Refused("not-found")
    if wanted.place in book.reversals:
        raise Refused("already-reversed", holder=book.reversals[wanted.place])
    original = book.records[wanted.place]
    hold = wanted.place if wanted.place in book.holds else original.pending_of
    parts = [wanted.place]
    if hold is not None and hold == wanted.place:
        if book.holds[hold].state != "posted":
            raise Refused("not-posted")
        parts = book.holds[hold].posts
    if hold is not None and book.holds[hold].undone + len(parts) > len(book.holds[hold].posts):
        either = (hold, *book.holds[hold].posts)
        raise Refused("already-reversed", holder=min(book.reversals[each] for each in either if each in book.reversals))
    posted = [entry for part in parts for entry in book.records[part].entries if entry.effect in ("posted", "taken")]
    other = {Side.DEBIT: Side.CREDIT, Side.CREDIT: Side.DEBIT}
    lines = [DraftLine(entry.account, entry.currency, other[entry.side], entry.minor, "posted") for entry in posted]
    drafted = Draft(lines, wanted.effective_at or now, wanted.reference)
    refusals.check_drafts(book, [drafted])
    place = write(book, drafted, wanted, default=original.description, now=now, reverses=wanted.place)
    book.reversals[wanted.place] = place
    if hold is not None:
        book.holds[hold].undone += len(parts)
    use(book, key, [place], now)
    return Recorded([place], [book.records[place]], replayed=False)


def check_pending(book: Book, places: Sequence[int | None], now: datetime) -> None:
    for index, place in enumerate(places):
        if place is None:
            raise Refused("not-found", index)
        if place not in book.holds or book.state_of(place, now) != "pending":
            raise Refused("not-pending", index)


def draft_of_post(book: Book, left: dict[int, HeldState], index: int, wanted: Post, now: datetime) -> Draft:
    """Take what is posted from what is left of the hold: the whole rest, or each posting from the first lines on."""
    place = known(wanted.place)
    hold, lines = left[place], book.records[place].entries
    if not any(hold.remaining):
        raise Refused("not-pending", index)
    if wanted.postings is None:
        drafted = take_rest(book, place, hold, "taken")
    else:
        drafted = []
        for line, posting in enumerate(wanted.postings):
            refusals.check_amount(book, posting.currency, posting.amount, index, line)
            minor = book.minor(posting)
            drafted.append(DraftLine(posting.account, posting.currency, posting.side, minor, "taken"))
            for number, entry in enumerate(lines):
                if (entry.account, entry.currency, entry.side) == (posting.account, posting.currency, posting.side):
                    part = min(minor, hold.remaining[number])
                    hold.remaining[number] -= part
                    minor -= part
            if minor:
                raise Refused("exceeds-hold", index, line)
        refusals.check_postings_balance(book, wanted.postings, index)
    if wanted.final:
        drafted += take_rest(book, place, hold, "released")
    if not any(hold.remaining):
        hold.state = "posted"
    return Draft(drafted, wanted.effective_at or now, wanted.reference)


def take_rest(book: Book, place: int, hold: HeldState, effect: str) -> list[DraftLine]:
    rest = [
        DraftLine(entry.account, entry.currency, entry.side, remaining, effect)
        for entry, remaining in zip(book.records[place].entries, hold.remaining, strict=True)
        if remaining
    ]
    hold.remaining = [0] * len(hold.remaining)
    return rest


def release(book: Book, places: Sequence[int], state: str, *, counts_at: Callable[[int], datetime]) -> None:
    """Give back what is left of holds. It is no transaction that anyone lists, but moves what is pending."""
    left = deepcopy(book.holds)
    drafts = [Draft(take_rest(book, place, left[place], "released"), counts_at(place)) for place in places]
    refusals.check_drafts(book, drafts)
    for drafted, place in zip(drafts, places, strict=True):
        refusals.move(book, drafted.lines)
        book.note(drafted)
        left[place].state = state
    book.holds = left


def write(
    book: Book,
    drafted: Draft,
    wanted: Post | Reversal,
    *,
    default: str | None,
    now: datetime,
    pending_of: int | None = None,
    reverses: int | None = None,
) -> int:
    book.records.append(
        Record(
            reference=wanted.reference,
            description=default if wanted.description is None else wanted.description,
            effective_at=drafted.effective_at,
            recorded_at=now,
            metadata=dict(wanted.metadata),
            entries=refusals.move(book, drafted.lines),
            pending_of=pending_of,
            reverses=reverses,
        )
    )
    book.note(drafted)
    return len(book.records) - 1


def known(place: int | None) -> int:
    assert place is not None
    return place
