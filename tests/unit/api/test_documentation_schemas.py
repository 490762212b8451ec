"""Schemas as a reader sees them."""

from __future__ import annotations

import pytest

from myapp.api.documentation import schemas

COMPONENTS = {
    "Line": {
        "type": "object",
        "properties": {"to": {"type": "string"}, "debit": {"type": "string", "examples": ["1.00"]}},
        "required": ["to"],
    },
    "Kind": {"enum": ["a", "b"]},
}
LINE = {"$ref": "#/components/schemas/Line"}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "uuid"}, "uuid"),
        ({"type": "integer", "minimum": 1, "maximum": 1000}, "integer, 1–1,000"),  # noqa: RUF001
        ({"type": "string", "maxLength": 5}, "string, at most 5"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"$ref": "#/components/schemas/Kind"}, "a | b"),
        ({"type": "array", "items": LINE, "minItems": 2, "maxItems": 9}, "array of objects, 2–9"),  # noqa: RUF001
        ({"type": "object", "additionalProperties": {"type": "string"}}, "object of strings"),
        ({}, "any"),
    ],
)
def test_kinds_are_said_in_words(schema: dict[str, object], words: str) -> None:
    assert schemas.kind(schema, COMPONENTS) == words


def test_rows_name_what_is_inside() -> None:
    schema = {"type": "object", "properties": {"lines": {"type": "array", "items": LINE}}, "required": ["lines"]}

    rows = [(row.name, row.is_required) for row in schemas.rows(schema, COMPONENTS)]

    assert rows == [("lines", True), ("lines[].to", True), ("lines[].debit", False)]


def test_examples_are_the_ones_given_else_of_the_kind() -> None:
    schema = {"type": "array", "items": LINE}

    assert schemas.example(schema, COMPONENTS) == [{"to": "…", "debit": "1.00"}]
