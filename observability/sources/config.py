"""AWS Config: its recorder and advanced queries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from observability.aws.errors import (
    LACKING,
    NOT_HERE,
    OFF,
    VANISHED,
    ExpectedError,
)
from observability.collecting.scan import Scan
from observability.rows import Row, shaped

if TYPE_CHECKING:
    from mypy_boto3_config import ConfigServiceClient


NOT_RECORDING = "AWS Config records nothing in this region"

GLOBAL = "global"
"""AWS Config's region of what belongs to none."""


def read_recorders(scan: Scan) -> bool:
    """Whether AWS Config records anything here (DescribeConfigurationRecorders)."""
    client: ConfigServiceClient = scan.client("config")
    return bool(client.describe_configuration_recorders()["ConfigurationRecorders"])


def query(client: ConfigServiceClient, expression: str) -> Iterator[Row]:
    """The rows of an advanced query (SelectResourceConfig), as many per page as AWS gives.

    Each is a JSON text; one that is none costs itself.
    """
    pages = client.get_paginator("select_resource_config").paginate(
        Expression=expression, PaginationConfig={"PageSize": 100}
    )
    texts = (text for page in pages for text in page.get("Results", ()))
    return shaped(texts, json.loads)


CONFIG_ERRORS = (
    ExpectedError("config", "NoSuchConfigRuleException", VANISHED),
    ExpectedError("config", "NoSuchConformancePackException", VANISHED),
    ExpectedError("config", "NoSuchConfigRuleInConformancePackException", VANISHED),
    # https://github.com/aws/aws-cli/issues/6626; IAM's own denials always have words
    ExpectedError(
        "config:DescribeConformancePacks", "AccessDeniedException", NOT_HERE, LACKING, "^$"
    ),
    ExpectedError(
        "config", "NoAvailableConfigurationRecorderException", OFF, "Config records nothing"
    ),
    ExpectedError("config", "NoSuchConfigurationRecorderException", OFF, "Config records nothing"),
)  # fmt: skip
