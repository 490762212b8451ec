"""Metadata as the walk has it: a JSON object of texts, with its members in whichever order the database gives them."""

from __future__ import annotations

import msgspec

# Without types, as it is only passed on.
_decoder = msgspec.json.Decoder()


def read_metadata(text: str) -> dict[str, str]:
    """Return it in the order of its names."""
    return {} if text == "{}" else dict(sorted(_decoder.decode(text).items()))
