"""Arrange the document for its page: groups of operations, each with what a reader needs to call it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from myapp.api import parameters, problems, respond
from myapp.api.documentation import schemas
from myapp.api.documentation.openapi import Json
from myapp.api.documentation.schemas import Row

# What the examples name; the first ledger of a newcomer.
EXAMPLE_LEDGER = "shop"
EXAMPLE_PATHS = {"ledger": EXAMPLE_LEDGER, "path": "assets:cash", "code": "HOOL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    where: str
    kind: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: str
    description: str
    rows: Sequence[Row]
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One operation on the page."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    scope: str | None
    parameters: Sequence[Parameter]
    body: Sequence[Row]
    curl: str
    answers: Sequence[Answer]
    codes: Sequence[problems.Kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    name: str
    description: str
    operations: Sequence[Shown]


def groups(document: Json, *, base: str) -> Sequence[Group]:
    """Return the operations by tag; `base` is the address that the examples call."""
    components = document["components"]["schemas"]
    shown: dict[str, list[Shown]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            shown.setdefault(operation["tags"][0], []).append(
                _operation(path, method.upper(), operation, components, base=base)
            )
    return [
        Group(name=tag["name"], description=tag["description"], operations=shown[tag["name"]])
        for tag in document["tags"]
    ]


def _operation(path: str, method: str, operation: Json, components: Mapping[str, Json], *, base: str) -> Shown:
    body = _content(operation.get("requestBody", {}))
    example = None if body is None else schemas.example(body, components)
    return Shown(
        id=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        scope=operation.get("x-scope"),
        parameters=[_parameter(each, components) for each in operation["parameters"]],
        body=[] if body is None else list(schemas.rows(body, components)),
        curl=_curl(method, base + path.format_map(_Examples()), operation, example),
        answers=[
            _answer(status, answer, components)
            for status, answer in operation["responses"].items()
            if int(status) < 400
        ],
        codes=[
            problems.KINDS[code]
            for answer in operation["responses"].values()
            for code in answer.get("content", {}).get(problems.MEDIA_TYPE, {}).get("examples", ())
        ],
    )


class _Examples(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return EXAMPLE_PATHS.get(name, "01999c1e-7b5a-7cc1-b1a4-2f6c0d9e8a31")


def _parameter(of: Json, components: Mapping[str, Json]) -> Parameter:
    schema = schemas.resolve(of["schema"], components)
    return Parameter(
        name=f"{of['name']}.<key>" if of["name"] in parameters.NAMED else of["name"],
        where=of["in"],
        kind=schemas.kind(of["schema"], components),
        description=of.get("description") or schema.get("description", ""),
    )


def _answer(status: str, of: Json, components: Mapping[str, Json]) -> Answer:
    schema = _content(of)
    return Answer(
        status=status,
        description=of["description"],
        rows=[] if schema is None else list(schemas.rows(schema, components)),
        example="" if schema is None else _pretty(schemas.example(schema, components)),
    )


def _content(of: Json) -> Json | None:
    schema: Json | None = of.get("content", {}).get(respond.MEDIA_TYPE, {}).get("schema")
    return schema


def _curl(method: str, address: str, operation: Json, body: object) -> str:
    lines = [f"curl {address}" if method == "GET" else f"curl -X {method} {address}"]
    if "x-scope" in operation:
        lines.append('-H "Authorization: Bearer $KEY"')
    lines += [
        f"-H '{each['name']}: {each['example']}'"
        for each in operation["parameters"]
        if each["in"] == "header" and "example" in each
    ]
    if body is not None:
        lines += [f"-H 'Content-Type: {respond.MEDIA_TYPE}'", f"-d '{_pretty(body)}'"]
    return " \\\n  ".join(lines)


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
