"""Pyramid with one view and nothing else: what starting takes at least."""

from __future__ import annotations

from collections.abc import Mapping

from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.router import Router


def main(global_config: Mapping[str, str], **settings: str) -> Router:
    """Return the application."""
    with Configurator(settings=settings) as config:
        config.add_route("alive", "/healthz")
        config.add_view(lambda request: Response("ok"), route_name="alive")
        return config.make_wsgi_app()
