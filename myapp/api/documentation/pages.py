"""The pages for people: the documentation, what each problem code means, and what a visitor of / sees.

Everything is made on the server from the same document that programs read; nothing is loaded from elsewhere.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup, escape
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import view_config

from myapp.api import problems, respond
from myapp.api.documentation import openapi, operations
from myapp.api.request import AnyRequest
from myapp.ledger import errors as ledger_errors

if TYPE_CHECKING:
    from mako.lookup import TemplateLookup  # type: ignore[import-untyped]

ASSETS = Path(__file__).parent / "assets"
STYLE = (ASSETS / "style.css").read_text(encoding="utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

# The one style sheet is in the page itself, and nothing else may load or run.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HOME = {"documentation": "/docs", "openapi": "/openapi.json", "ledgers": "/v1/ledgers", "health": "/healthz"}

_TOKEN = re.compile(r'(?P<key>"[^"]*")(?=:)|(?P<string>"[^"]*")|(?P<word>(?<=: )(?:true|false|null|[0-9]+)\b)')


@view_config(route_name="home", request_method="GET", permission=NO_PERMISSION_REQUIRED)
def get_home(request: AnyRequest) -> Response:
    """Show a visitor where to go: a browser the documentation, a program the addresses."""
    if _wants_html(request):
        return Response(status=303, headerlist=[("Location", "/docs")])
    return respond.answer(json.dumps(HOME).encode())


@view_config(route_name="docs", request_method="GET", permission=NO_PERMISSION_REQUIRED)
def get_docs(request: AnyRequest) -> Response:
    """Serve the documentation."""
    document = openapi.document(request.registry)
    return render("docs.mako", document=document, groups=operations.groups(document, base=request.host_url))


@view_config(route_name="problem", request_method="GET", permission=NO_PERMISSION_REQUIRED)
def get_problem(request: AnyRequest) -> Response:
    """Explain a problem code, to a person or to a program."""
    code = request.matchdict["code"]
    kind = problems.KINDS.get(code)
    if kind is None:
        raise ledger_errors.NotFound(f"There is no problem code {code!r}; /docs lists all of them.")
    if _wants_html(request):
        return render("problem.mako", kind=kind)
    body = {"code": kind.code, "status": kind.status, "title": kind.title, "explanation": kind.explanation}
    return respond.answer(json.dumps(body).encode(), cache="no-cache")


def _wants_html(request: AnyRequest) -> bool:
    offers = request.accept.acceptable_offers([respond.MEDIA_TYPE, "text/html"])
    return bool(offers) and offers[0][0] == "text/html"


def colored(text: str) -> Markup:
    """Return JSON, or a command that carries some, as HTML with its parts marked."""
    parts: list[str] = []
    end = 0
    for found in _TOKEN.finditer(text):
        parts += [escape(text[end : found.start()]), f'<i class="{found.lastgroup}">', escape(found[0]), "</i>"]
        end = found.end()
    return Markup("".join([*parts, escape(text[end:])]))  # noqa: S704 - each part was escaped


def described(text: str) -> Markup:
    """Return a description as HTML: what stands between backticks is code."""
    parts = [
        f"<code>{escape(part)}</code>" if place % 2 else escape(part) for place, part in enumerate(text.split("`"))
    ]
    return Markup("".join(parts))  # noqa: S704 - each part was escaped


@functools.cache
def _templates() -> TemplateLookup:
    # When somebody looks at a page, which most processes never see: it brings whatever is installed to color code.
    from mako.lookup import TemplateLookup

    # Everything a template shows is escaped unless it is marked as HTML.
    return TemplateLookup(
        [str(ASSETS)], default_filters=["escape"], imports=["from markupsafe import escape"], strict_undefined=True
    )


def render(name: str, **values: object) -> Response:
    """Return a page made from a template of the assets."""
    html = (
        _templates()
        .get_template(name)
        .render_unicode(style=STYLE, kinds=problems.KINDS.values(), colored=colored, described=described, **values)
    )
    headers = [
        ("Content-Type", "text/html; charset=UTF-8"),
        ("Cache-Control", "no-cache"),
        ("Content-Security-Policy", POLICY),
        ("Referrer-Policy", "no-referrer"),
    ]
    return Response(body=html.encode(), headerlist=headers)
