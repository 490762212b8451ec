"""What an address answers besides JSON, and whether the client takes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from myapp.api import errors, respond


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is text in one of these media types, made while it is sent."""

    media_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """An answer in JSON, or the same as rows of CSV."""

    json: Any


CSV = "text/csv"


def offers(answers: Mapping[int, Any]) -> Sequence[str]:
    """Return the media types that a view with these answers may give."""
    found: list[str] = []
    for answer in answers.values():
        if isinstance(answer, Stream):
            found += answer.media_types
        else:
            found += (respond.MEDIA_TYPE, CSV) if isinstance(answer, Table) else (respond.MEDIA_TYPE,)
    return tuple(dict.fromkeys(found))


# Pyramid ships no types.
def require_accepted(request: Any, offered: Iterable[str]) -> None:
    """Refuse a client that accepts none of these.

    Raises:
        NotAcceptable: naming what there is.
    """
    offered = list(offered)
    if not request.accept.acceptable_offers(offered):
        raise errors.NotAcceptable(f"The answer is {' or '.join(offered)}, which the Accept header excludes.")


def preferred(request: Any, offered: Sequence[str]) -> str:
    """Return what the client likes best of these, the first where it does not mind."""
    accepted = request.accept.acceptable_offers(offered)
    return str(accepted[0][0]) if accepted else offered[0]
