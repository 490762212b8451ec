"""The schema, made by Alembic alone. `alembic upgrade head` in the project's root brings a database up to date."""
