"""An export's lines as deeds to replay: what each did, and to which transaction of the ledger it is loaded into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from myapp.api import fields
from myapp.api.exchange import deeds, lines
from myapp.ledger import model

# As many characters as fit in one request, however they are written.
WEIGHT_MAX = 1_000_000
POSTING_WEIGHT = 150


def deed(of: lines.Transaction, ids: Mapping[str, str]) -> deeds.Deed:
    """Return what a line's transaction did; `ids` are those that the ledger gave to others, by the file's.

    Raises:
        ValueError: no ledger could have recorded that.
    """
    kind, what = _what(of, ids)
    return msgspec.convert({"id": of.id, kind: what}, deeds.Deed, dec_hook=fields.decode_custom)


def weight(of: lines.Transaction) -> int:
    """Return about how many characters it has."""
    words = sum(len(name) + len(text) for name, text in of.metadata.items())
    return words + len(of.description or "") + POSTING_WEIGHT * (1 + len(of.postings))


def _what(of: lines.Transaction, ids: Mapping[str, str]) -> tuple[str, Mapping[str, object]]:
    if of.reverses is not UNSET:
        return "reversal", {"id": ids.get(of.reverses, of.reverses), **_remark(of)}
    if of.pending_of is UNSET:
        is_hold = of.status == model.Status.PENDING
        ends = {} if of.expires_at is UNSET else {"expires_at": of.expires_at}
        return "transaction", {"postings": _postings(of.postings), "pending": is_hold, **ends, **_remark(of)}
    hold = {"id": ids.get(of.pending_of, of.pending_of)}
    if of.status != model.Status.POSTED:
        return "release", {**hold, "outcome": of.status, "effective_at": of.effective_at}
    taken = [each for each in of.postings if each.effect == model.Effect.TAKEN]
    return "post", {**hold, "postings": _postings(taken), "final": len(taken) < len(of.postings), **_remark(of)}


def _remark(of: lines.Transaction) -> Mapping[str, object]:
    return {
        "reference": of.reference,
        "description": of.description,
        "effective_at": of.effective_at,
        "metadata": of.metadata,
    }


def _postings(of: Sequence[lines.Posting]) -> Sequence[Mapping[str, object]]:
    return [
        {
            "account": each.account,
            "currency": each.currency,
            **_side("debit", each.debit),
            **_side("credit", each.credit),
        }
        for each in of
    ]


def _side(name: str, amount: str | UnsetType) -> Mapping[str, str]:
    return {} if amount is UNSET else {name: amount}
