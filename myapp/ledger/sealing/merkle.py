"""The Merkle tree of RFC 6962 (section 2.1) over the hashes of leaves: its root, and the path that proves one leaf.

A tree of n > 1 leaves splits at the largest power of two below n. That is the same as pairing neighbours level by
level, where the last one of an odd level goes up alone. Pure; hashes are 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

# What is hashed begins with what it is, so that a leaf never passes for a node.
LEAF = b"\x00"
NODE = b"\x01"
HASH_BYTES = 32


def leaf_hash(text: str) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(LEAF + text.encode()).digest()


def split(hashes: bytes) -> Sequence[bytes]:
    """Return the hashes that stand one after the other."""
    return [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over at least one leaf's hash."""
    *_, top = _levels(leaves)
    return top[0]


def path(leaves: Sequence[bytes], index: int) -> Sequence[bytes]:
    """Return the hashes that lead from the leaf at `index` to the root, from the bottom up."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"There is no leaf {index} in a tree of {len(leaves)}.")
    found = []
    for level in _levels(leaves):
        sibling = index ^ 1
        if sibling < len(level):
            found.append(level[sibling])
        index //= 2
    return found


def _levels(leaves: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    level = list(leaves)
    yield level
    while len(level) > 1:
        pairs = [_node(level[place], level[place + 1]) for place in range(0, len(level) - 1, 2)]
        level = pairs + level[2 * len(pairs) :]
        yield level


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(NODE + left + right).digest()
