"""Django with hordak and psycopg: one project with both endpoints, and with a third that is given the one statement."""
