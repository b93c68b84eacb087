"""Superset's settings, which it reads from the file that SUPERSET_CONFIG_PATH names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

HOME = Path(os.environ["SUPERSET_HOME"])
SECRET_KEY = (HOME / "secret_key").read_text()
SQLALCHEMY_DATABASE_URI = f"sqlite:///{HOME.absolute()}/superset.db"
"""What Superset keeps for itself: users, charts, dashboards."""

APP_NAME = "Observability"
# Rows are only shown in groups: those of a table may be more than an answer can have.
FEATURE_FLAGS = {"ALERT_REPORTS": False, "DRILL_TO_DETAIL": False, "EMBEDDED_SUPERSET": False}

# One process answers all requests, so its memory is cache enough: the data change once a day.
CACHE_SECONDS = 600
DATA_CACHE_CONFIG = {
    "CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": CACHE_SECONDS, "CACHE_THRESHOLD": 500,
}  # fmt: skip

# An answer of the Data API has at most 1 MiB, so no query asks for more rows than this by default.
ROW_LIMIT, SAMPLES_ROW_LIMIT = 1_000, 500

# The browser loads nothing from elsewhere; Superset's own default allows its makers' counter.
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
        "frame-ancestors": ["'none'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": False,
}

# A Superset on another port of this machine has cookies of its own.
SESSION_COOKIE_NAME = "observability_session"
SESSION_COOKIE_SAMESITE = "Strict"

DATA_API = boto3.client(
    "rds-data",
    region_name=os.environ["OBSERVABILITY_REGION"],
    config=Config(connect_timeout=5, read_timeout=60, max_pool_connections=20),
)
"""One client for all threads: the driver makes one for each query else."""


def DB_CONNECTION_MUTATOR(
    uri: Any, params: dict[str, Any], _username: str, _manager: Any, _source: Any
) -> tuple[Any, dict[str, Any]]:
    """Give each connection through the Data API the one client."""
    if uri.drivername == "postgresql+auroradataapi":
        params.setdefault("connect_args", {})["rds_data_client"] = DATA_API
    return uri, params
