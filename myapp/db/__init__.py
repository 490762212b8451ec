"""The session layer: `config.include("myapp.db")` gives any Pyramid application `request.dbsession`.

Settings: `sqlalchemy.url` and what `myapp.settings.DATABASE` lists. Views declare what differs with `db={…}`
(see `options`). What is promised, and how each promise is kept, is in docs/sessions.md.

    made and joined            request_session  from the one factory: factory, session, engine
    ended                      request_session  SessionMember with the transaction, ending_tween in any other case
    repeated, or not           retry            by what an error means: errors, judging, constraints; mending before it
    declared by a view         view, options
    carried along              unit             what one unit of work may do, until when, and what it did
    said at BEGIN              databases        one file for each database
    waiting                    limits           the line before the pool, the deadline
    primary or replica         replication
    told                       telemetry        report, metrics, log line, trace, counting in tests
    two at once                two_databases
    beside the view            streaming, afterwards, after_commit, dispatcher
    without a request          scope, retry.run; in tests sandbox
"""

from __future__ import annotations

import os

from pyramid.config import Configurator
from pyramid.exceptions import ConfigurationError
from pyramid.tweens import INGRESS
from pyramid.viewderivers import INGRESS as FIRST
from sqlalchemy.engine import Engine

from myapp import settings
from myapp.db import after_commit, afterwards, engine, factory, mending, request_session, streaming, view
from myapp.db.replication import position, replicas, routed

EXPLICIT_MANAGER = "pyramid_tm.explicit_manager"
TM_TWEEN = "pyramid_tm.tm_tween_factory"


def includeme(config: Configurator) -> None:
    """Set the engine, the session factory, the transaction tween and the retry policy up."""
    database = settings.read_database(config.get_settings(), os.environ)
    _set_policies(config, database)
    config.include("pyramid_tm")
    config.include("pyramid_retry")

    bind = engine.build(database)
    config.registry["db.settings"] = database
    config.registry["db.engine"] = bind
    config.registry["db.sessions"] = _sessions(config, bind, database)

    config.add_request_method(request_session.dbsession, reify=True)
    config.add_request_method(request_session.db_options, reify=True)
    config.add_request_method(request_session.db_deadline, reify=True)
    config.add_request_method(streaming.dbstream)
    config.add_request_method(after_commit.after_commit)
    config.add_request_method(afterwards.db_afterwards)
    config.add_request_method(mending.db_mend)
    config.add_request_method(position.wanted, "db_position", reify=True)
    config.add_tween("myapp.db.request_session.ending_tween", under=INGRESS, over=TM_TWEEN)
    config.add_tween("myapp.db.streaming.streaming_tween", under="myapp.db.request_session.ending_tween", over=TM_TWEEN)
    config.add_tween(
        "myapp.db.afterwards.answering_tween", under="myapp.db.request_session.ending_tween", over=TM_TWEEN
    )
    config.include("myapp.db.telemetry.reporting")
    if database.second_url is not None:
        config.include("myapp.db.two_databases.two_phase")
    config.include("myapp.db.retry")
    config.include("myapp.db.constraints")
    config.add_view_deriver(view.db_view, name="db", under=FIRST, over="secured_view")


def _sessions(config: Configurator, bind: Engine, database: settings.Database) -> factory.Sessions:
    if not database.replica_urls:
        return factory.build(bind)
    config.registry["db.replicas"] = known = replicas.build(database)
    config.add_tween("myapp.db.replication.position.telling_tween", under=INGRESS, over=TM_TWEEN)
    return routed.build(bind, known)


def _set_policies(config: Configurator, database: settings.Database) -> None:
    """Decide what pyramid_tm and pyramid_retry leave open, before they are included."""
    chosen = config.get_settings()
    manager = chosen.setdefault("tm.manager_hook", EXPLICIT_MANAGER)
    if manager not in (EXPLICIT_MANAGER, config.maybe_dotted(EXPLICIT_MANAGER)):
        raise ConfigurationError(f"tm.manager_hook = {manager}: myapp.db needs {EXPLICIT_MANAGER}; remove the setting.")
    if chosen.setdefault("tm.commit_veto", request_session.commit_veto) is not request_session.commit_veto:
        raise ConfigurationError(
            f"tm.commit_veto = {chosen['tm.commit_veto']}: with myapp.db a request commits unless it raises an error "
            "or answers 4xx or 5xx; remove the setting."
        )
    # On, it would run the security policy before the view is known.
    chosen["tm.annotate_user"] = False
    chosen["retry.attempts"] = database.retry_attempts
