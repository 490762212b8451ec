"""What the service has done since it started, for Prometheus: the database is not asked, and no key is needed."""

from __future__ import annotations

from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import view_config

from myapp.api.request import AnyRequest


@view_config(route_name="metrics", request_method="GET", permission=NO_PERMISSION_REQUIRED)
def tell_metrics(request: AnyRequest) -> Response:
    """Answer with all metrics, in the form that the client accepts."""
    # Not by the Accept object: a library reads the header as it was sent.
    body, media_type = request.registry["db.metrics"].exposition(request.headers.get("Accept", ""))
    return Response(body=body, headerlist=[("Content-Type", media_type), ("Cache-Control", "no-store")])
