"""Requests made up from the published document, right and wrong ones: every answer is one the document allows.

Schemathesis is driven by hand, since its pytest plugin does not run under this pytest.
"""

from __future__ import annotations

from datetime import UTC, datetime

import hypothesis
import pytest
import schemathesis
import webtest
from pyramid.router import Router
from schemathesis import CheckFunction, GenerationMode, Response
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from myapp.db import scope
from myapp.ledger import access
from tests.functional.api.shop import CASH, Shop, sale

pytestmark = [pytest.mark.slow, pytest.mark.commits]

EXAMPLES = hypothesis.settings(
    max_examples=6,
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


def excused(response: Response) -> list[CheckFunction]:
    """Return the checks that no document can help to pass: the ledger's own refusals of well-formed input."""
    code = response.json()["code"] if response.status_code in (412, 422) else None
    return [] if code in (None, "validation-failed") else [positive_data_acceptance]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_every_answer_is_in_the_document(api_schema: OpenApiSchema, shop: Shop, mode: GenerationMode) -> None:
    recorded = shop.must(201, "POST", "transactions", sale())
    existing = {"ledger": shop.name, "path": CASH, "code": "HOOL", "id": recorded["id"]}
    asked = 0

    @EXAMPLES
    @hypothesis.given(data=hypothesis.strategies.data())
    def send(data: hypothesis.strategies.DataObject) -> None:
        nonlocal asked
        case = data.draw(strategy)
        if mode is GenerationMode.POSITIVE:
            # What is made up hardly ever exists, and would be answered with 404 whatever else it says.
            case.path_parameters.update({name: existing[name] for name in case.path_parameters})
            case.query.pop("after", None)
            # JSON Schema calls 17.0 an integer; no number with a point is one here.
            hypothesis.assume(not isinstance(case.body, dict) or not isinstance(case.body.get("exponent"), float))
        response = case.call(headers=shop.headers)
        case.validate_response(response, headers=shop.headers, excluded_checks=excused(response))
        asked += 1

    for result in api_schema.get_all_operations():
        operation = result.ok()
        takes_input = any((operation.path_parameters, operation.query, operation.headers, operation.body))
        if takes_input or mode is GenerationMode.POSITIVE:
            strategy = operation.as_strategy(generation_mode=mode)
            send()

    assert asked > 60
    assert shop.must(200, "GET", "verify")["holds"] is True
