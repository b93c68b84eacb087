"""The reader of documents."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from observability.loaders import ROW_PATHS
from observability.receiving.reader import DocumentReader
from tests.documents import document


@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(1, 200),
    days=st.integers(0, 400),
    text=st.text(st.characters(codec="utf-8"), max_size=20),
)
def test_chunks_of_any_size_give_the_same_parts(size: int, days: int, text: str) -> None:
    made = document(date(2026, 1, 1) + timedelta(days=days))
    made["security"]["kms"][0]["description"] = text
    body = json.dumps(made, ensure_ascii=False).encode()

    def parts(chunk: int) -> list[tuple[str, str, Any]]:
        chunks = (body[i : i + chunk] for i in range(0, len(body), chunk))
        reader = DocumentReader(chunks, ROW_PATHS)
        return [(part.path, part.where, part.value) for part in reader.parts()]

    assert parts(size) == parts(len(body))
