"""Show a JSON schema to a reader: as rows of a table, and as an example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from myapp.api.documentation.openapi import Json

Components = Mapping[str, Json]

REF_PREFIX = "#/components/schemas/"
DEPTH_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One member: its path within the value, what it may be, and whether it must be there."""

    name: str
    kind: str
    is_required: bool
    description: str


def resolve(schema: Json, components: Components) -> Json:
    """Return the schema behind references and behind "or null"."""
    if "$ref" in schema:
        found = components[schema["$ref"].removeprefix(REF_PREFIX)]
        return resolve({**found, **{name: value for name, value in schema.items() if name != "$ref"}}, components)
    for option in schema.get("anyOf", ()):
        if option != {"type": "null"}:
            return resolve({**option, **{name: value for name, value in schema.items() if name != "anyOf"}}, components)
    return schema


def rows(schema: Json, components: Components, *, prefix: str = "", depth: int = 0) -> Iterator[Row]:
    """Yield the members of an object, and of the objects in it, with dotted names."""
    for name, member in resolve(schema, components).get("properties", {}).items():
        resolved = resolve(member, components)
        yield Row(
            name=prefix + name,
            kind=kind(member, components),
            is_required=name in resolve(schema, components).get("required", ()),
            description=resolved.get("description", ""),
        )
        if depth < DEPTH_MAX:
            inner, suffix = _inside(resolved)
            yield from rows(inner, components, prefix=f"{prefix}{name}{suffix}.", depth=depth + 1)


def kind(schema: Json, components: Components) -> str:
    """Say in words what a value may be."""
    resolved = resolve(schema, components)
    words = _words(resolved, components)
    bounds = _bounds(resolved)
    nullable = " or null" if {"type": "null"} in schema.get("anyOf", ()) else ""
    return words + (f", {bounds}" if bounds else "") + nullable


def example(schema: Json, components: Components) -> Any:
    """Return a value that fits the schema, from the examples it gives."""
    resolved = resolve(schema, components)
    if resolved.get("examples"):
        return resolved["examples"][0]
    if "enum" in resolved:
        return resolved["enum"][0]
    if resolved.get("type") == "object":
        return _example_object(resolved, components)
    if resolved.get("type") == "array":
        return [example(resolved["items"], components)]
    return _EXAMPLES.get(resolved.get("format", ""), _EXAMPLES.get(resolved.get("type", ""), "…"))


_EXAMPLES: Mapping[str, object] = {
    "uuid": "01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31",
    "date-time": "2026-01-31T12:00:00Z",
    "boolean": True,
    "integer": 1,
}


def _example_object(resolved: Json, components: Components) -> Json:
    members = resolved.get("properties")
    if members is None:
        return {_key(resolved): example(resolved.get("additionalProperties", {}), components)}
    return {name: example(member, components) for name, member in members.items() if name not in _LEFT_OUT}


# Half of a choice: a posting has a debit or a credit.
_LEFT_OUT = frozenset({"credit"})


def _key(resolved: Json) -> str:
    return str(resolved.get("propertyNames", {}).get("examples", ["key"])[0])


def _inside(resolved: Json) -> tuple[Json, str]:
    if resolved.get("type") == "array":
        return resolved["items"], "[]"
    if isinstance(resolved.get("additionalProperties"), dict):
        return resolved["additionalProperties"], ".*"
    return resolved, ""


def _words(resolved: Json, components: Components) -> str:
    if "enum" in resolved:
        return " | ".join(str(value) for value in resolved["enum"])
    if resolved.get("type") == "array":
        return f"array of {_plural(kind(resolved['items'], components))}"
    if isinstance(resolved.get("additionalProperties"), dict):
        return f"object of {_plural(kind(resolved['additionalProperties'], components))}"
    return str(resolved.get("format") or resolved.get("type", "any"))


def _plural(words: str) -> str:
    return f"{words}s" if words in ("string", "object", "integer") else words


def _bounds(resolved: Json) -> str:
    pairs: Sequence[tuple[str, str]] = (
        ("minimum", "maximum"),
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
        ("minProperties", "maxProperties"),
    )
    for least, most in pairs:
        if least in resolved and most in resolved:
            return f"{resolved[least]}–{resolved[most]:,}"  # noqa: RUF001 - a range is written with a dash
        if most in resolved:
            return f"at most {resolved[most]:,}"
    return ""
