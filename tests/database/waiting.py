"""Waiting until a statement waits for a lock."""

from __future__ import annotations

import threading

from tests.warehouse import Warehouse


def wait_for_lock(warehouse: Warehouse, words: str, loading: threading.Thread) -> None:
    """Until a statement with these words waits for a lock, as `loading` is to bring about."""
    waits = f"""SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
          AND query LIKE '%{words}%'"""
    while not warehouse.query(waits):
        assert loading.is_alive()
