"""The addresses of the service, and what an address answers to a method it does not know."""

from __future__ import annotations

from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED

from myapp.api import catalogue, problems
from myapp.api.request import METHOD_SHOWN_MAX, AnyRequest

# The first match wins, so what is fixed stands before what is variable.
ROUTES = (
    ("home", "/"),
    ("healthz", "/healthz"),
    ("readyz", "/readyz"),
    ("metrics", "/metrics"),
    ("openapi", "/openapi.json"),
    ("docs", "/docs"),
    ("problem", "/problems/{code}"),
    ("ledgers", "/v1/ledgers"),
    ("ledger", "/v1/ledgers/{ledger}"),
    ("currencies", "/v1/ledgers/{ledger}/currencies"),
    ("currency", "/v1/ledgers/{ledger}/currencies/{code}"),
    ("accounts", "/v1/ledgers/{ledger}/accounts"),
    ("account", "/v1/ledgers/{ledger}/accounts/{path}"),
    ("balance", "/v1/ledgers/{ledger}/accounts/{path}/balance"),
    ("postings", "/v1/ledgers/{ledger}/accounts/{path}/postings"),
    ("transactions", "/v1/ledgers/{ledger}/transactions"),
    ("batch", "/v1/ledgers/{ledger}/transactions/batch"),
    ("transaction", "/v1/ledgers/{ledger}/transactions/{id}"),
    ("post_hold", "/v1/ledgers/{ledger}/transactions/{id}/post"),
    ("void_hold", "/v1/ledgers/{ledger}/transactions/{id}/void"),
    ("reverse", "/v1/ledgers/{ledger}/transactions/{id}/reverse"),
    ("post_holds", "/v1/ledgers/{ledger}/holds/post"),
    ("void_holds", "/v1/ledgers/{ledger}/holds/void"),
    ("bank_lines", "/v1/ledgers/{ledger}/accounts/{path}/bank/lines"),
    ("bank_report", "/v1/ledgers/{ledger}/accounts/{path}/bank/report"),
    ("bank_match", "/v1/ledgers/{ledger}/accounts/{path}/bank/match"),
    ("bank_line", "/v1/ledgers/{ledger}/bank/lines/{line}"),
    ("bank_line_accept", "/v1/ledgers/{ledger}/bank/lines/{line}/accept"),
    ("bank_line_record", "/v1/ledgers/{ledger}/bank/lines/{line}/record"),
    ("bank_line_reject", "/v1/ledgers/{ledger}/bank/lines/{line}/reject"),
    ("export", "/v1/ledgers/{ledger}/export"),
    ("replay", "/v1/ledgers/{ledger}/replay"),
    ("events", "/v1/ledgers/{ledger}/events"),
    ("prices", "/v1/ledgers/{ledger}/prices"),
    ("trial-balance", "/v1/ledgers/{ledger}/reports/trial-balance"),
    ("balance-sheet", "/v1/ledgers/{ledger}/reports/balance-sheet"),
    ("income-statement", "/v1/ledgers/{ledger}/reports/income-statement"),
    ("account-statement", "/v1/ledgers/{ledger}/reports/account-statement"),
    ("proof", "/v1/ledgers/{ledger}/transactions/{id}/proof"),
    ("seals", "/v1/ledgers/{ledger}/seals"),
    ("webhooks", "/v1/ledgers/{ledger}/webhooks"),
    ("webhook", "/v1/ledgers/{ledger}/webhooks/{id}"),
    ("webhook_replay", "/v1/ledgers/{ledger}/webhooks/{id}/replay"),
    ("webhook_ping", "/v1/ledgers/{ledger}/webhooks/{id}/ping"),
    ("webhook_secret", "/v1/ledgers/{ledger}/webhooks/{id}/secret"),
    ("verify", "/v1/ledgers/{ledger}/verify"),
)


def includeme(config: Configurator) -> None:
    """Add the routes, each with the view that answers OPTIONS and refuses every other method."""
    for name, pattern in ROUTES:
        config.add_route(name, pattern)
        config.add_view(other_method, route_name=name, permission=NO_PERMISSION_REQUIRED)


def other_method(request: AnyRequest) -> Response:
    """Answer OPTIONS with the methods the address knows, and any other method with 405."""
    allow = ", ".join(_methods(request))
    if request.method == "OPTIONS":
        return Response(status=204, headerlist=[("Allow", allow)])
    method = request.method[:METHOD_SHOWN_MAX]
    refusal = problems.response(request, "method-not-allowed", f"This address knows {allow}; not {method}.")
    refusal.headers["Allow"] = allow
    return refusal


def _methods(request: AnyRequest) -> list[str]:
    route = request.matched_route.name
    methods = {"OPTIONS"}
    for view, _permission in catalogue.views(request.registry):
        if view["route_name"] == route and view["request_methods"] is not None:
            methods.add(view["request_methods"])
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods)
