"""AWS Config: its recorder, advanced queries, and aggregators."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from observability.aws.errors import (
    LACKING,
    NOT_HERE,
    OFF,
    VANISHED,
    ExpectedError,
    SharedReadUnavailable,
    aws_errors,
    describe_error,
)
from observability.collecting.scan import Scan
from observability.collecting.shared import SharedReads
from observability.rows import Row

if TYPE_CHECKING:
    from mypy_boto3_config import ConfigServiceClient


NOT_RECORDING = "AWS Config records nothing in this region"

PAGE = 100
"""Rows that AWS gives at once of an advanced query."""
GLOBAL = "global"
"""AWS Config's region of what belongs to none."""


def read_recorders(scan: Scan) -> bool:
    """Whether AWS Config records anything here (DescribeConfigurationRecorders)."""
    client: ConfigServiceClient = scan.client("config")
    return bool(client.describe_configuration_recorders()["ConfigurationRecorders"])


class Aggregator(NamedTuple):
    """An aggregator of AWS Config, and the (account, region) that it is up to date with."""

    client: ConfigServiceClient
    name: str
    sources: frozenset[tuple[str, str]]

    def query(self, expression: str) -> Iterator[Row]:
        """The rows of an advanced query over all that it has (SelectAggregateResourceConfig)."""
        pages = self.client.get_paginator("select_aggregate_resource_config").paginate(
            ConfigurationAggregatorName=self.name,
            Expression=expression,
            PaginationConfig={"PageSize": PAGE},
        )
        yield from (json.loads(text) for page in pages for text in page.get("Results", ()))


def aggregator_of(scan: Scan) -> Aggregator | None:
    """The aggregator that is up to date with this account and region, if the run has one."""
    shared = scan.run.shared
    found = shared.once("Config", "aggregator", find_aggregator) if shared else None
    return found if found and (scan.account, scan.region) in found.sources else None


def find_aggregator(shared: SharedReads) -> Aggregator:
    """The aggregator that is up to date with most of what the run reads.

    It is looked for in the home region of Config's delegated administrator, else of the caller
    (Config: DescribeConfigurationAggregators). One with a filter sees a part only.
    """
    try:
        aws = shared.administrator("config")
    except aws_errors() as error:
        shared.caller.log.log_once(
            f"Config: the caller's own aggregators are asked, since {describe_error(error)}"
        )
        aws = shared.caller
    client: ConfigServiceClient = aws.client("config", aws.home)
    pages = client.get_paginator("describe_configuration_aggregators").paginate()
    listed = [held for page in pages for held in page.get("ConfigurationAggregators", ())]
    whole = [
        one["ConfigurationAggregatorName"] for one in listed if not one.get("AggregatorFilters")
    ]
    found = [one for name in whole if (one := try_aggregator(shared, client, name))]
    best = max(found, key=lambda one: len(one.sources), default=None)
    if not best or not best.sources:
        raise SharedReadUnavailable(f"{aws.account} has no aggregator that is up to date with them")
    count = len({account for account, _ in best.sources})
    shared.caller.log.log_once(
        f"Config: {aws.account} reads for {count} accounts, by its aggregator {best.name}"
    )
    return best


def try_aggregator(
    shared: SharedReads, client: ConfigServiceClient, name: str
) -> Aggregator | None:
    """An aggregator with its sources; None if they cannot be read."""
    try:
        return Aggregator(client, name, sources_of(shared, client, name))
    except aws_errors() as error:
        shared.caller.log.log_once(
            f"Config: the aggregator {name} is not asked, since {describe_error(error)}"
        )
        return None


def sources_of(
    shared: SharedReads, client: ConfigServiceClient, aggregator: str
) -> frozenset[tuple[str, str]]:
    """The (account, region) among the run's accounts that an aggregator is up to date with.

    Config: DescribeConfigurationAggregatorSourcesStatus. SharedReadUnavailable if an
    aggregator of many more accounts takes as many requests to say so as it would save.
    """
    pages = client.get_paginator("describe_configuration_aggregator_sources_status").paginate(
        ConfigurationAggregatorName=aggregator,
        UpdateStatus=["SUCCEEDED"],
        PaginationConfig={"PageSize": 100},
    )
    wanted, found = frozenset(shared.accounts), set()
    for number, page in enumerate(pages):
        if number >= len(wanted):
            raise SharedReadUnavailable(f"what {aggregator} has takes no fewer requests")
        for held in page.get("AggregatedSourceStatusList", ()):
            if held["LastUpdateStatus"] == "SUCCEEDED" and held["SourceId"] in wanted:
                found.add((held["SourceId"], held.get("AwsRegion", "")))
    return frozenset(found)


def query(client: ConfigServiceClient, expression: str) -> Iterator[Row]:
    """The rows of an advanced query."""
    pages = client.get_paginator("select_resource_config").paginate(
        Expression=expression, PaginationConfig={"PageSize": PAGE}
    )
    yield from (json.loads(text) for page in pages for text in page.get("Results", ()))


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
