"""Alembic's scripts for the audit record repository's database."""
