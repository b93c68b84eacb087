"""Statuses and messages in the database."""

from __future__ import annotations

from datetime import datetime

from tests import documents
from tests.loading import Loaded


def test_statuses_and_messages_are_kept_in_order(loaded: Loaded) -> None:
    for document in loaded.documents:
        [log] = loaded.rows("logs", document["meta"]["region"])
        told = document["logs"]
        assert log["date_created"] == datetime.fromisoformat(told["date_created"])
        for category in documents.CATEGORIES:
            assert log[f"{category}_status"] == told[f"{category}_status"]
        messages = loaded.query(
            "SELECT message_type, message FROM log_messages WHERE log_id = %s ORDER BY position",
            log["id"],
        )
        expected = [pair for held in told["message"] for pair in held.items()]
        assert [(row["message_type"], row["message"]) for row in messages] == expected
