"""A double-entry ledger served as an HTTP JSON API, where one request is one database transaction.

`main` alone puts the rooms together; it names them by dotted string, so that no room imports another for it.
"""

from __future__ import annotations

import os

from pyramid.config import Configurator
from pyramid.router import Router

from myapp import settings
from myapp.migrations import head


def main(_global_config: dict[str, str], **raw_settings: str) -> Router:
    """Return the WSGI application, as `pserve` and the tests make it.

    Raises:
        settings.SettingsError: settings are missing, unknown or malformed; all are listed.
        migrations.head.SchemaError: the database is not at the current schema.
    """
    read = settings.read(raw_settings, os.environ)
    with Configurator(settings=dict(raw_settings)) as config:
        config.registry["myapp.settings"] = read.application
        config.include("myapp.db")
        head.require(config.registry["db.engine"])
        config.registry["myapp.schema_heads"] = head.expected()
        config.include("myapp.api")
    return config.make_wsgi_app()
