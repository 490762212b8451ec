"""Entity tags: which version of a thing a client has seen.

A tag is `"<version>-<checksum>"`. The version counts the changes a client can make (limits, metadata, closing), and
is all that `If-Match` is about: a posting recorded meanwhile does not spoil a change. The checksum covers the whole
answer, balances too, so that `If-None-Match` never calls an old balance current.
"""

from __future__ import annotations

import re
import zlib

from myapp.ledger import errors as ledger_errors

ANY = "*"

_TAG = re.compile(r'"(?P<version>[0-9]{1,18})-[0-9a-f]{8}"')


def make(version: int, body: bytes) -> str:
    """Return the tag of an answer."""
    return f'"{version}-{zlib.crc32(body):08x}"'


def expected_version(if_match: str | None) -> int | None:
    """Return the version that `If-Match` allows, None if it allows any.

    Of several tags the newest counts: versions only grow, so the older ones cannot be current.
    Raises:
        PreconditionFailed: it names no version that ever was.
    """
    if if_match is None or if_match.strip() == ANY:
        return None
    versions = [int(found["version"]) for tag in if_match.split(",") if (found := _TAG.fullmatch(tag.strip()))]
    if not versions:
        raise ledger_errors.PreconditionFailed(
            "If-Match names no version of this; pass back what the ETag header said."
        )
    return max(versions)


def is_unchanged(if_none_match: str | None, tag: str) -> bool:
    """Say whether the client already has the answer with this tag."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == ANY or tag in {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
