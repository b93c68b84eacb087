"""Queries and the report."""
