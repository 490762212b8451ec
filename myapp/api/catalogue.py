"""The catalogue of operations: what each view declares, read back from the configured application.

The document, its page, the tests and the table of refusals are all made from this, so none can differ from the routes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyramid.registry import Registry
from pyramid.security import NO_PERMISSION_REQUIRED

from myapp.api import problems, schemas

ALWAYS = ("not-acceptable", "bad-parameter", "internal")
WITH_A_KEY = ("unauthenticated", "forbidden")
# Any statement may meet a database that is away or, where the isolation is SERIALIZABLE, others in its way.
WITH_A_DATABASE = ("unavailable", "overloaded", "deadline-exceeded", "conflict")
WITH_A_BODY = (
    "malformed-json",
    "too-large",
    "unsupported-media-type",
    "validation-failed",
    "read-only",
    "outcome-unknown",
)
WITH_IDEMPOTENCY = ("idempotency-mismatch", "idempotency-in-progress")

IDEMPOTENCY_KEY = "Idempotency-Key"
READ_POSITION = "Read-Position"
REQUEST_TIMEOUT = "Request-Timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one address; `permission` is None where none is needed."""

    route: str
    method: str
    path: str
    name: str
    group: str
    summary: str
    description: str
    permission: str | None
    body: type | None
    query: type[schemas.Input]
    headers: Sequence[str]
    answers: Mapping[int, Any]
    codes: Sequence[str]

    @property
    def body_may_lack(self) -> bool:
        """Whether the body may be left out."""
        # A body need not be a class: it may be one of several.
        return isinstance(self.body, type) and issubclass(self.body, schemas.Optional)

    @property
    def path_parameters(self) -> Sequence[str]:
        return re.findall(r"\{(\w+)\}", self.path)


def read(registry: Registry) -> Sequence[Operation]:
    """Return every operation of the application that declares its answers, in the order of the routes."""
    introspector = registry.introspector
    patterns = {
        each["introspectable"]["name"]: each["introspectable"]["pattern"]
        for each in introspector.get_category("routes")
    }
    order = {name: place for place, name in enumerate(patterns)}
    operations = [
        _operation(view, patterns[view["route_name"]], permission)
        for view, permission in views(registry)
        if view.get("answers")
    ]
    return sorted(operations, key=lambda each: (order[each.route], each.method != "GET", each.method))


def views(registry: Registry) -> Iterator[tuple[Mapping[str, Any], str | None]]:
    """Yield what every view was configured with, and the permission it declares, if it does."""
    for each in registry.introspector.get_category("views"):
        permissions = [found["value"] for found in each["related"] if found.category_name == "permissions"]
        yield each["introspectable"], permissions[0] if permissions else None


def _operation(view: Mapping[str, Any], path: str, permission: str | None) -> Operation:
    function = view["callable"]
    summary, _, description = (inspect.getdoc(function) or "").partition("\n")
    return Operation(
        route=view["route_name"],
        method=view["request_methods"],
        path=path,
        name=function.__name__,
        group=_group(function.__module__),
        summary=summary.rstrip("."),
        description=" ".join(description.split()),
        permission=None if permission == NO_PERMISSION_REQUIRED else permission,
        body=view.get("body"),
        query=view.get("query") or schemas.NoQuery,
        headers=_headers(view, permission),
        answers=view["answers"],
        codes=_codes(view, path, permission),
    )


def _group(module: str) -> str:
    """Return the name of the file, or of the room whose file of views it is."""
    return module.removesuffix(".views").rpartition(".")[2]


def _headers(view: Mapping[str, Any], permission: str | None) -> Sequence[str]:
    """Return the headers that mean something to the view."""
    names = list(view.get("headers") or ())
    if permission != NO_PERMISSION_REQUIRED:
        names.append(READ_POSITION)
    if _asks_the_database(view, permission):
        names.append(REQUEST_TIMEOUT)
    return names


def _asks_the_database(view: Mapping[str, Any], permission: str | None) -> bool:
    """Say whether the view declares so; whoever needs a key asks for it there."""
    return permission != NO_PERMISSION_REQUIRED or view.get("db") is not None


def _codes(view: Mapping[str, Any], path: str, permission: str | None) -> Sequence[str]:
    """Return every problem code the view may give, in the order of the table."""
    codes = {*ALWAYS, *(view.get("refusals") or ())}
    if permission != NO_PERMISSION_REQUIRED:
        codes.update(WITH_A_KEY)
    if _asks_the_database(view, permission):
        codes.update(WITH_A_DATABASE)
    if view.get("body") is not None:
        codes.update(WITH_A_BODY)
    if IDEMPOTENCY_KEY in (view.get("headers") or ()):
        codes.update(WITH_IDEMPOTENCY)
    if "{" in path:
        codes.add("not-found")
    return [code for code in problems.KINDS if code in codes]
