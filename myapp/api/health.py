"""Is the process alive, and can it serve?"""

from __future__ import annotations

import logging

from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import view_config
from sqlalchemy import exc as sa_exc

from myapp.api import problems, respond, schemas
from myapp.api.request import Request
from myapp.db import errors as db_errors

log = logging.getLogger(__name__)

DATABASE_TIMEOUT_SECONDS = 2
# A threading.Event that the server puts into each environ (see myapp.server); other servers need not.
SHUTTING_DOWN = "myapp.shutting_down"


@view_config(
    route_name="healthz",
    request_method="GET",
    permission=NO_PERMISSION_REQUIRED,
    answers={200: schemas.Health},
)
def is_alive(_request: Request[None, schemas.NoQuery]) -> Response:
    """Check that the process is alive.

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
    """Check that the service is ready.

    The database answers and has the schema of this version, and the server is not about to end. A service with more
    requests than it can work on is ready.
    """
    shutting_down = request.environ.get(SHUTTING_DOWN)
    if shutting_down is not None and shutting_down.is_set():
        return problems.response(request, "unavailable", "The server is shutting down.")
    try:
        is_current = request.registry["myapp.is_current"](request.dbsession)
    except db_errors.Overloaded:
        # It serves as much as it can; were it taken for broken, the others would have to serve this much more.
        return respond.answer(respond.encode(schemas.Health(status="ok")))
    except (sa_exc.SQLAlchemyError, db_errors.DatabaseError) as exc:
        log.warning("request_id=%s not ready: %s", request.request_id, exc)
        return problems.response(request, "unavailable", "The database cannot be asked for its schema.")
    if not is_current:
        return problems.response(request, "unavailable", "The database has another schema; run `alembic upgrade head`.")
    return respond.answer(respond.encode(schemas.Health(status="ok")))
