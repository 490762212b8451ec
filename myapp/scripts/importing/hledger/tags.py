"""Tags: whose they are, and what an export of our own noted in them.

A posting has its own tags first, then its account's, then those of the accounts above.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from myapp.api.exchange import notes
from myapp.scripts.importing.hledger import printed

_TAG = re.compile(r"([^\s:,]+):")


def noted(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Return tags by name; the text of ours is percent-encoded, and a name that is there twice has both values."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name.startswith(notes.PREFIX):
            found[name] = unquote(value)
        else:
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def of_posting(posting: printed.Posting) -> printed.Tags:
    """Return the tags that are written at the posting."""
    return _divided(posting)[0]


def of_account(posting: printed.Posting) -> printed.Tags:
    """Return the tags of the posting's account; in an export of our own, each account's begin with its path."""
    tags = _divided(posting)[1]
    paths = [place for place, (name, _) in enumerate(tags) if name == notes.PATH]
    return tags[: paths[1]] if len(paths) > 1 else tags


def _divided(posting: printed.Posting) -> tuple[printed.Tags, printed.Tags]:
    """Return the posting's tags and its account's: of one name, as many are the posting's as its comment has."""
    written = Counter(_TAG.findall(posting.pcomment))
    own: printed.Tags = []
    rest: printed.Tags = []
    for tag in posting.ptags:
        if written[tag[0]] > 0:
            written[tag[0]] -= 1
            own.append(tag)
        else:
            rest.append(tag)
    return own, rest


def words(comment: str) -> str:
    """Return the lines of a comment that have no tag; nothing but a newline ends a line of hledger's."""
    return "\n".join(line for line in comment.split("\n") if line.strip() and not _TAG.search(line))
