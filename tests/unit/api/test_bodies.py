"""Decoding bodies: well-formed first, then the schema; each error points at its place."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from myapp.api import bodies, errors, schemas

decode_transaction = bodies.decoder(schemas.NewTransaction)
decode_account = bodies.decoder(schemas.NewAccount)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


@hypothesis.given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_is_refused_in_one_of_two_ways(body: bytes) -> None:
    with pytest.raises((errors.MalformedJson, errors.ValidationFailed)):
        decode_transaction(body)


@hypothesis.given(JSON)
def test_only_what_no_other_reader_takes_is_malformed(value: Any) -> None:
    text = json.dumps(value)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        takes = True
    except ValueError:
        takes = False

    with pytest.raises(errors.ApiError) as refused:
        decode_transaction(text.encode())

    assert isinstance(refused.value, errors.ValidationFailed) == takes, text


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        (b"[]", "", "Expected an object, got an array"),
        (b"{}", "", "Object missing required field `postings`"),
        (b'{"postings": {}}', "/postings", "Expected an array, got an object"),
        (b'{"postings": [1, 2]}', "/postings/0", "Expected an object, got an integer"),
        (b'{"postings": [], "reference": 5}', "/postings", "Expected an array of length >= 2"),
        (b'{"reference": 5}', "/reference", "Expected a string or null, got an integer"),
        (b'{"metadata": {"a": 5}}', "/metadata", "A member's value: Expected a string, got an integer"),
        (b'{"metadata": {"": "a"}}', "/metadata", "A member's name: Expected a string of length >= 1"),
        (b'{"x": 1}', "", "Object contains unknown field `x`"),
    ],
)
def test_points_at_the_place_and_says_what_to_send(body: bytes, pointer: str, detail: str) -> None:
    with pytest.raises(errors.ValidationFailed) as refused:
        decode_transaction(body)

    (error,) = refused.value.errors
    assert (error.pointer, error.detail) == (pointer, detail)


def test_pointer_ends_at_the_mapping_whose_member_is_wrong() -> None:
    with pytest.raises(errors.ValidationFailed) as refused:
        decode_account(b'{"path": "a", "type": "asset", "limits": {"USD": {"min": 5}}}')

    assert refused.value.errors[0].pointer == "/limits"


@pytest.mark.parametrize("number", [b"1" * 5000, b"1." + b"1" * 5000, b"1e400", b"-0", b"1E5"])
def test_numbers_of_any_size_are_well_formed(number: bytes) -> None:
    with pytest.raises(errors.ValidationFailed):
        decode_transaction(b'{"reference": ' + number + b"}")
