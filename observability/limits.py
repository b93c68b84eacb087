"""Bounds on what comes from outside."""

from __future__ import annotations

MIB = 1024 * 1024
BATCH_BYTES = int(3.5 * MIB)  # of the encoded request; the Data API refuses more than 4 MiB
VALUE_CHARACTERS = 16 * MIB  # of one row in a document
PERIODS = 2_000  # of one table in one document; they travel with each of its batches
LISTED_PROBLEMS = 10_000  # in a reason; more are counted
