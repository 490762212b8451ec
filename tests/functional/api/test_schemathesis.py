"""Requests made up from the published document, right and wrong ones: every answer is one the document allows.

Covered is every operation. Right requests go to things that exist, and must be accepted unless the ledger itself says
no; wrong ones break the types, bounds, patterns or required members of the path, query, headers or body, and must be
refused with 4xx. Every answer must have a status, a media type, headers and a body that the document lists, none may
be a fault, and none may be given without the key. At the end the ledger's invariants hold.

An operation gets six requests of each kind, fewer on a busy machine, where the time would not suffice; never none.
Schemathesis is driven by hand, since its pytest plugin does not run under this pytest.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from datetime import UTC, datetime

import hypothesis
import pytest
import schemathesis
import webtest
from pyramid.router import Router
from schemathesis import CheckFunction, GenerationMode, Response
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from myapp.api.catalogue import REQUEST_TIMEOUT
from myapp.api.documentation.openapi import REQUEST_HEADERS
from myapp.db import scope
from myapp.ledger import access
from tests.functional.api.shop import CASH, Shop, bank_line, sale

pytestmark = [pytest.mark.long, pytest.mark.commits]

EXAMPLES_MAX = 6
SECONDS_GIVEN = re.compile(REQUEST_HEADERS[REQUEST_TIMEOUT]["schema"]["pattern"])
# For all operations together, on each database; wrong requests take longer to make up.
SECONDS = {GenerationMode.POSITIVE: 5, GenerationMode.NEGATIVE: 15}

EXAMPLES = hypothesis.settings(
    deadline=None,
    # The same cases in every run: what one run finds, the next finds too.
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(scope="session")
def api_schema(keyed_wsgi_app: Router) -> OpenApiSchema:
    return schemathesis.openapi.from_wsgi("/openapi.json", keyed_wsgi_app)


@pytest.fixture
def shop(keyed_wsgi_app: Router) -> Shop:
    """Return a shop with a key for everything."""
    with scope.session_scope(keyed_wsgi_app.registry["db.sessions"]) as session:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        _key, secret = access.create_key(session, name=None, scope=access.Scope.ADMIN, ledger=None, now=now)
    return Shop(webtest.TestApp(keyed_wsgi_app), headers={"Authorization": f"Bearer {secret}"}).open()


# How the refusals end that compare two members, or one with the clock.
OWN = re.compile(
    "is above the maximum|is in another currency|goes with `pending`|would have expired already|among those to void|"
    "'currency' beside it|no amount is between them|marks alone are not searched for|or leave the amounts out|"
    "more decimal digits than|does not fit in 64 bits"
)


def excused(response: Response) -> list[CheckFunction]:
    """Return the checks that no document can help to pass: the ledger's own refusals of well-formed input."""
    is_refusal = response.status_code in (400, 412, 422)
    problem = response.json() if is_refusal else {"code": "validation-failed", "detail": ""}
    # JSON Schema cannot compare two members; what it can say is refused with what was expected.
    is_said = problem["code"] == "validation-failed" or "Expected" in problem["detail"]
    is_own = not is_said or OWN.search(problem["detail"])
    return [positive_data_acceptance] if is_own else []


def has_float(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(has_float, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float)


def takes_input(operation: APIOperation) -> bool:
    return any((operation.path_parameters, operation.query, operation.headers, operation.body))


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_every_answer_is_in_the_document(api_schema: OpenApiSchema, shop: Shop, mode: GenerationMode) -> None:
    recorded = shop.must(201, "POST", "transactions", sale())
    (line,) = shop.bank_lines(bank_line())
    existing = {"ledger": shop.name, "path": CASH, "code": "HOOL", "id": recorded["id"], "line": line}
    began = time.monotonic()
    asked = Counter[str]()

    def send(data: hypothesis.strategies.DataObject) -> None:
        case = data.draw(strategy)
        if mode is GenerationMode.POSITIVE:
            # What is made up hardly ever exists, and would be answered with 404 whatever else it says.
            case.path_parameters.update({name: existing[name] for name in case.path_parameters})
            case.query.pop("after", None)
            # JSON Schema calls 17.0 an integer; no number with a point is one here.
            hypothesis.assume(not has_float(case.body))
        if SECONDS_GIVEN.fullmatch(str(case.headers.get(REQUEST_TIMEOUT))):
            # What is right however short it is must also be enough.
            case.headers[REQUEST_TIMEOUT] = "9.5"
        response = case.call(headers=shop.headers)
        case.validate_response(response, headers=shop.headers, excluded_checks=excused(response))
        asked[operation.label] += 1

    operations = [
        operation
        for operation in (result.ok() for result in api_schema.get_all_operations())
        if mode is GenerationMode.POSITIVE or takes_input(operation)
    ]
    for place, operation in enumerate(operations):
        strategy = operation.as_strategy(generation_mode=mode)
        spent = time.monotonic() - began
        share = (SECONDS[mode] - spent) / (len(operations) - place)
        affordable = int(share / spent * asked.total()) if place else EXAMPLES_MAX
        bounded = hypothesis.settings(EXAMPLES, max_examples=min(max(affordable, 1), EXAMPLES_MAX))
        bounded(hypothesis.given(data=hypothesis.strategies.data())(send))()

    assert asked.keys() == {operation.label for operation in operations}
    assert len(asked) > 10
    assert shop.must(200, "GET", "verify")["holds"] is True
