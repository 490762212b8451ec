"""What every answer carries, also one to a request that reached no view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.registry import Registry
from pyramid.response import Response

# Pyramid ships no types for its requests.
Handler = Callable[[Any], Response]


def every_answer_tween(handler: Handler, _registry: Registry) -> Handler:
    """Name the request in its answer, and keep browsers from guessing what the answer is."""

    def carrying(request: Any) -> Response:
        response = handler(request)
        response.headers["X-Request-Id"] = request.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return carrying
