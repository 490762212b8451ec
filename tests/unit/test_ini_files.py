"""The ini files that come with the application are usable as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from paste.deploy import loadwsgi

from myapp import server as servers
from myapp import settings

ROOT = Path(__file__).parents[2]

each_file = pytest.mark.parametrize("name", ["development.ini", "production.ini"])


def server(name: str, variables: Mapping[str, str]) -> Mapping[str, str]:
    """Return the arguments the server gets from `pserve NAME VARIABLES`."""
    uri = f"config:{ROOT / name}"
    context = loadwsgi.loadcontext(loadwsgi.SERVER, uri, global_conf=dict(variables))
    return context.local_conf


@each_file
class TestIniFiles:
    def test_serve_on_loopback_at_the_documented_port(self, name: str):
        listening = server(name, {})

        assert (listening["host"], listening["port"]) == ("127.0.0.1", "6543")

    def test_serve_on_the_port_asked_for(self, name: str):
        assert server(name, {"http_port": "7000"})["port"] == "7000"

    def test_have_good_settings(self, name: str):
        settings.read(settings.read_ini(str(ROOT / name)), {})

    def test_have_good_settings_of_the_server(self, name: str):
        assert callable(servers.make({}, **server(name, {})))

    def test_have_a_thread_for_whoever_works_or_waits_and_some_to_say_no(self, name: str):
        read = settings.read(settings.read_ini(str(ROOT / name)), {})
        waiting = read.database.waiting_max + read.application.followers_max

        assert read.database.pool_size + waiting < int(server(name, {})["threads"])

    def test_let_the_application_refuse_a_large_body(self, name: str):
        application = settings.read(settings.read_ini(str(ROOT / name)), {}).application

        assert int(server(name, {})["max_request_body_size"]) > application.body_bytes_max


class TestEnd:
    def test_gives_a_proxy_time_to_notice_in_production(self):
        wanted = settings.read_server(server("production.ini", {}))

        assert wanted.drain_seconds > 0
        # Kubernetes kills what has not ended after 30 seconds, unless told otherwise.
        assert wanted.drain_seconds + wanted.shutdown_seconds < 30

    def test_is_quick_in_development(self):
        assert settings.read_server(server("development.ini", {})).drain_seconds == 0


class TestAccess:
    def test_is_open_in_development_alone(self):
        modes = {
            name: settings.read(settings.read_ini(str(ROOT / name)), {}).application.auth
            for name in ("development.ini", "production.ini")
        }

        assert modes == {"development.ini": settings.Auth.OPEN, "production.ini": settings.Auth.KEYS}
