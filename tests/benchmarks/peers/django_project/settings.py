"""The settings of the project, as `startproject` writes them, less what serves pages and people."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from tests.benchmarks.peers import books

# Set, the endpoint that records does so by the application's one statement.
STATEMENT_VARIABLE = "BENCH_BY_STATEMENT"
BY_STATEMENT = STATEMENT_VARIABLE in os.environ
# Django prepares no statements unless told to, and the one is long to parse.
PREPARED = {"server_side_binding": True, "prepare_threshold": 5} if BY_STATEMENT else {}

database = urlsplit(os.environ[books.URL_VARIABLE])

SECRET_KEY = "only-for-benches"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "mptt",
    "hordak",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "tests.benchmarks.peers.django_project.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database.path.removeprefix("/"),
        "USER": database.username,
        "HOST": database.hostname,
        "PORT": database.port,
        "OPTIONS": {"pool": {"min_size": books.POOL_SIZE, "max_size": books.POOL_SIZE}, **PREPARED},
    }
}
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DEFAULT_CURRENCY = books.CURRENCY
HORDAK_INTERNAL_CURRENCY = books.CURRENCY
CURRENCIES = [books.CURRENCY]
