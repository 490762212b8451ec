"""The HTTP JSON API: decode, call the ledger with `request.dbsession`, encode. The contract is in docs/api.md.

Needs `myapp.db`, and the registry's "myapp.settings", "myapp.recording" and "myapp.is_current".
"""

from __future__ import annotations

from pyramid.config import Configurator
from pyramid.tweens import INGRESS

from myapp.api import exponents, learning, remembered, request, security
from myapp.api.events import following


def includeme(config: Configurator) -> None:
    """Add the routes, the views and what every request passes through."""
    config.registry["myapp.exponents"] = exponents.Exponents()
    seconds = config.registry["myapp.settings"].remember_seconds
    config.registry["myapp.keys"] = remembered.Remembered(seconds_max=seconds, entries_max=security.KEYS_MAX)
    config.registry["myapp.ledgers"] = remembered.Remembered(seconds_max=seconds, entries_max=exponents.LEDGERS_MAX)
    config.registry["myapp.followers"] = following.Followers(config.registry["myapp.settings"].followers_max)
    request.use_one_class(config)
    config.set_security_policy(security.Policy())
    config.add_request_method(request.now, reify=True)
    config.add_request_method(request.request_id, reify=True)
    config.add_request_method(security.caller, reify=True)
    config.add_tween(
        "myapp.api.every_answer.every_answer_tween", under=INGRESS, over="myapp.db.request_session.ending_tween"
    )
    config.include("myapp.api.view_options")
    config.include("myapp.api.routes")
    config.scan("myapp.api")
    learning.learn()
