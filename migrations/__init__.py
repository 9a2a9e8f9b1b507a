"""Schema migrations of the services that keep a SQL database, by alembic."""
