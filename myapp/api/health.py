"""Is the process alive, and can it serve?"""

from __future__ import annotations

import sqlalchemy as sa
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import view_config

from myapp.api import problems, respond, schemas
from myapp.api.request import Request

DATABASE_TIMEOUT_SECONDS = 2

_revisions = sa.text("SELECT version_num FROM alembic_version")


@view_config(
    route_name="healthz",
    request_method="GET",
    permission=NO_PERMISSION_REQUIRED,
    answers={200: schemas.Health},
)
def is_alive(_request: Request[None, schemas.NoQuery]) -> Response:
    """Say that the process is alive.

    The database is not asked.
    """
    return respond.answer(respond.encode(schemas.Health(status="ok")))


@view_config(
    route_name="readyz",
    request_method="GET",
    permission=NO_PERMISSION_REQUIRED,
    db={"timeout": DATABASE_TIMEOUT_SECONDS, "retry": 1},
    answers={200: schemas.Health},
)
def is_ready(request: Request[None, schemas.NoQuery]) -> Response:
    """Say whether the service is ready.

    The database answers and has the schema of this version.
    """
    if frozenset(request.dbsession.scalars(_revisions)) != request.registry["myapp.schema_heads"]:
        return problems.response(request, "unavailable", "The database has another schema; run `alembic upgrade head`.")
    return respond.answer(respond.encode(schemas.Health(status="ok")))
