"""Alembic's way in: runs on the connection that it is handed by ``auditing.store.schema``."""

from alembic import context

from auditing.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="portolan_auditing_version",
    render_as_batch=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
