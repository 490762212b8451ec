"""The OpenAPI 3.1 document, made from the catalogue and from the types that validate."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any, TypeAlias

import msgspec
from pyramid.registry import Registry
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import view_config

from myapp.api import catalogue, fields, media, parameters, problems, respond
from myapp.api.catalogue import Operation
from myapp.api.request import AnyRequest
from myapp.ledger import words

REF = "#/components/schemas/{name}"

# A JSON document: what it holds is known to the specification, not to the type checker.
Json: TypeAlias = dict[str, Any]

DESCRIPTION = """\
A double-entry ledger. One request is one database transaction: what it asked for happened whole, or nothing did.

Amounts are decimal strings in the currency's own unit, times are RFC 3339 in UTC. A refusal is a problem document \
(RFC 9457) whose `code` never changes its meaning. A POST with an `Idempotency-Key` may be repeated safely.
"""

GROUPS = {
    "ledgers": "Closed books of accounts.",
    "currencies": "Units with their decimal digits; those of ISO 4217 are known already.",
    "accounts": "Places in a ledger, with a type, limits and balances.",
    "balances": "Balances at a time and as known at a time, of an account or of all below a path.",
    "statements": "The postings of one account.",
    "transactions": "What happened: postings that balance to zero in every currency.",
    "holds": "Transactions that reserve until they are posted, voided or expire; and reversals.",
    "reconciliation": "The lines of bank statements, and what each means in the books.",
    "export": "The whole book, or a period of it, for other programs.",
    "replay": "What happened in another ledger, recorded again.",
    "events": "Everything that happened in a ledger, in the order of the commits.",
    "reports": "What the books say at a time or of a period.",
    "prices": "What currencies are worth in others.",
    "webhooks": "Addresses to which the events of a ledger are sent.",
    "seals": "Epochs that are closed for good, and proofs that a transaction is in one.",
    "verification": "Proof that the books are right.",
    "health": "For those who run the service.",
}

PATH_PARAMETERS: Mapping[str, Any] = {
    "ledger": fields.LedgerName,
    "path": fields.AccountPath,
    "code": fields.CurrencyCode,
}

REQUEST_HEADERS: Mapping[str, Json] = {
    "Idempotency-Key": {
        "description": "Your own name for this request; repeated with the same body it is answered as it was first.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "example": "5c0c9a6e-order-1234",
    },
    "If-Match": {
        "description": "The ETag you read; the change is refused if the account was changed since.",
        "schema": {"type": "string"},
    },
    "If-None-Match": {
        "description": "The ETag you have; the answer is 304 if nothing changed since.",
        "schema": {"type": "string"},
    },
    "Read-Position": {
        "description": "The one of the last answer you got: with replicas, you see at least what was there then.",
        "schema": {"type": "string"},
    },
    "Request-Timeout": {
        "description": "The seconds you will wait, if that is less than the service would take: then it is 503 "
        "`deadline-exceeded`, and nothing was done.",
        "schema": {"type": "string", "pattern": r"^([1-9][0-9]*(\.[0-9]+)?|0\.[0-9]*[1-9][0-9]*)$"},
        "example": "2.5",
    },
    "Prefer": {
        "description": "`return=representation` answers with whole transactions instead of ids.",
        "schema": {"type": "string", "examples": ["return=representation"]},
    },
}


@view_config(route_name="openapi", request_method="GET", permission=NO_PERMISSION_REQUIRED)
def get_openapi(request: AnyRequest) -> Response:
    """Serve the document; it is made once per process."""
    return respond.answer(json.dumps(document(request.registry)).encode(), cache="no-cache")


def document(registry: Registry) -> Json:
    """Return the document of the configured application."""
    known: Json | None = registry.get("myapp.openapi")
    if known is None:
        known = registry["myapp.openapi"] = _build(catalogue.read(registry))
    return known


def _build(operations: Sequence[Operation]) -> Json:
    kinds = list(_types(operations))
    found, components = msgspec.json.schema_components(kinds, schema_hook=fields.describe_custom, ref_template=REF)
    by_type = {repr(kind): schema for kind, schema in zip(kinds, found, strict=True)}
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, by_type, components)
    used = {operation.group for operation in operations}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "myapp", "version": metadata.version("myapp"), "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in GROUPS.items() if name in used],
        "paths": paths,
        "components": {
            "schemas": _reachable(paths, components),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}},
        },
    }
    return _published(document)


def _reachable(paths: Json, components: Mapping[str, Json]) -> Json:
    """Return the components that the paths refer to, themselves or through others."""
    found: Json = {}
    pending = _references(paths)
    while pending:
        name = pending.pop()
        found[name] = components[name]
        pending |= _references(found[name]) - found.keys()
    return {name: components[name] for name in sorted(found)}


def _references(within: Json) -> set[str]:
    return set(re.findall(rf'"{re.escape(REF.format(name=""))}([^"]+)"', json.dumps(within)))


def _types(operations: Iterable[Operation]) -> Iterable[Any]:
    yield problems.Problem
    yield from PATH_PARAMETERS.values()
    for operation in operations:
        yield operation.query
        if operation.body is not None:
            yield operation.body
        for answer in operation.answers.values():
            yield from _alternatives(answer)


def _alternatives(answer: Any) -> Sequence[Any]:
    if isinstance(answer, media.Stream):
        return ()
    if isinstance(answer, media.Table):
        return (answer.json,)
    return answer if isinstance(answer, tuple) else () if answer is None else (answer,)


def _operation(operation: Operation, by_type: Mapping[str, Json], components: Mapping[str, Json]) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.group],
        "parameters": [
            *(_path_parameter(name, by_type) for name in operation.path_parameters),
            *_query_parameters(components[operation.query.__name__]),
            *({"name": name, "in": "header", **REQUEST_HEADERS[name]} for name in operation.headers),
        ],
        "responses": {
            **{str(status): _answer(operation, status, kind, by_type) for status, kind in operation.answers.items()},
            **_refusals(operation),
        },
    }
    if operation.description:
        described["description"] = operation.description
    if operation.body is not None:
        content = {respond.MEDIA_TYPE: {"schema": by_type[repr(operation.body)]}}
        described["requestBody"] = {"required": not operation.body_may_lack, "content": content}
    if operation.permission is not None:
        described["security"] = [{"key": []}]
        described["x-scope"] = operation.permission
    return described


def _path_parameter(name: str, by_type: Mapping[str, Json]) -> Json:
    schema = by_type[repr(PATH_PARAMETERS[name])] if name in PATH_PARAMETERS else {"type": "string", "format": "uuid"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(query: Json) -> Iterable[Json]:
    for name, schema in query["properties"].items():
        if name in parameters.NAMED:
            yield _named_parameter(name, schema)
        else:
            described = {"name": name, "in": "query", "schema": _without_null(schema)}
            yield {**described, "required": True} if name in query.get("required", ()) else described


# What may stand after the dot, and what to say of it.
NAMED_PARAMETERS: Mapping[str, tuple[str, str, str]] = {
    "metadata": (
        "[^\\x00]{1,100}",
        "`metadata.<key>=<value>`: transactions with this entry; several must all match.",
        "metadata.order=1234",
    ),
    "price": (
        words.CURRENCY_CODE,
        "`price.<currency>=<price>`: what one unit is worth in the currency of `value`, before any recorded.",
        "price.EUR=1.0850",
    ),
}


def _named_parameter(name: str, schema: Json) -> Json:
    pattern, description, example = NAMED_PARAMETERS[name]
    key, _, value = example.partition("=")
    return {
        "name": name,
        "in": "query",
        "style": "form",
        "explode": True,
        "description": description,
        "schema": {
            "type": "object",
            "propertyNames": {"type": "string", "pattern": f"^{name}\\.{pattern}\\Z"},
            "additionalProperties": schema["additionalProperties"],
            "maxProperties": fields.METADATA_ENTRIES_MAX,
        },
        "example": {key: value},
    }


def _without_null(schema: Json) -> Json:
    """Return the schema of a parameter that may be left out: unlike a member of a body, it cannot be null."""
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf" and (name, value) != ("default", None)}
    return {**options[0], **rest} if options else rest


def _answer(operation: Operation, status: int, kind: Any, by_type: Mapping[str, Json]) -> Json:
    described: Json = {"description": ANSWERS[status], "headers": _answer_headers(operation, status)}
    schemas_of = [by_type[repr(each)] for each in _alternatives(kind)]
    if schemas_of:
        schema = schemas_of[0] if len(schemas_of) == 1 else {"anyOf": schemas_of}
        described["content"] = {respond.MEDIA_TYPE: {"schema": schema}}
    if isinstance(kind, media.Stream):
        described["content"] = {offer: {"schema": {"type": "string"}} for offer in kind.media_types}
    if isinstance(kind, media.Table):
        described["content"][media.CSV] = {"schema": {"type": "string"}}
    return described


EVERY_ANSWER = ("X-Request-Id", "Server-Timing")
ANSWERS = {
    200: "Done.",
    201: "Made.",
    204: "Removed.",
    304: "Nothing changed since; there is no body.",
}


def _answer_headers(operation: Operation, status: int) -> Json:
    names = [*EVERY_ANSWER]
    if "If-None-Match" in operation.headers or "If-Match" in operation.headers:
        names.append("ETag")
    if catalogue.READ_POSITION in operation.headers:
        names.append(catalogue.READ_POSITION)
    if status == 201 and operation.route != "batch":
        names.append("Location")
    if isinstance(operation.answers[status], media.Stream):
        names.append("Content-Disposition")
    if status == 201 and catalogue.IDEMPOTENCY_KEY in operation.headers:
        names.append("Idempotency-Replayed")
    return _headers(*names)


def _headers(*names: str) -> Json:
    return {name: {"schema": {"type": "string"}} for name in names}


def _refusals(operation: Operation) -> Json:
    by_status: dict[int, list[str]] = {}
    for code in operation.codes:
        by_status.setdefault(problems.KINDS[code].status, []).append(code)
    return {
        str(status): {
            "description": ", ".join(f"`{code}`" for code in codes),
            "headers": _headers(
                *EVERY_ANSWER, *dict.fromkeys(name for code in codes for name in problems.headers(problems.KINDS[code]))
            ),
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": {"$ref": REF.format(name="Problem")},
                    "examples": {code: {"value": _example(problems.KINDS[code])} for code in codes},
                }
            },
        }
        for status, codes in by_status.items()
    }


def _example(kind: problems.Kind) -> Json:
    return {
        "type": f"/problems/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.explanation,
        "code": kind.code,
        "request_id": "0e7b3c5f0d6b4c0f8f1c3d9a7b2e4f60",
    }


def _published(document: Json) -> Json:
    """Spell patterns as JSON Schema does, and generic types as readers do."""
    text = json.dumps(document)
    text = text.replace(r"\\Z", "$").replace(r"\\x", r"\\u00")
    text = re.sub(r"Listed_(\w+?)_\b", r"\1List", text)
    published: Json = json.loads(re.sub(r"Listed\[(\w+)\]", r"\1List", text))
    return published
