"""What a transaction is found by besides its columns: the words of its description, and its metadata. Pure.

Each is a term, and a term is kept as a number of 64 bits, so that it has one size however long the text. Two terms may
share a number; whoever finds by one looks at the text as well.

Words are the same on every database: runs of letters and digits, without regard to case or to how an accent is written.
Scripts that set no blanks between words have one word for each character.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Set

# Thai and Lao, kana, Han.
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+")

_HASH_BYTES = 8


def words(text: str) -> Set[str]:
    """Return the words of a text, each once."""
    # Some characters are only composed alike once the case is gone, and some only fold once they are composed.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return set(_WORD.findall(folded))


def of(description: str | None, metadata: Mapping[str, str]) -> Set[int]:
    """Return the terms of a transaction."""
    found = {of_entry(key, value) for key, value in metadata.items()}
    if description is not None:
        found.update(map(of_word, words(description)))
    return found


def of_word(word: str) -> int:
    return _number("word", word)


def of_entry(key: str, value: str) -> int:
    return _number("entry", key, value)


def _number(*parts: str) -> int:
    # No text holds the separator: PostgreSQL could not store it.
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest, "big", signed=True)
