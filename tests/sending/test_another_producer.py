"""Documents of another producer, which uses the same keys: none is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.cloud import Account, EmbeddedCloud
from tests.runs import ship, stored

THEIRS = b'{"account": {}}'


def put_theirs(
    embedded: EmbeddedCloud, environment: dict[str, str], account: Account, days_ago: int = 1
) -> str:
    """A document where one of ours would lie; its key."""
    day = datetime.now(UTC).date() - timedelta(days=days_ago)
    key = f"data/{account.id}/{environment['REGION']}/{day}_DAILY.json"
    s3 = embedded.client("s3", embedded.analytics.id)
    s3.put_object(Bucket=environment["BUCKET"], Key=key, Body=THEIRS)
    return key


@pytest.mark.parametrize("readable", [True, False])
def test_it_stays_and_ours_gets_a_name_of_its_own(
    embedded: EmbeddedCloud, environment: dict[str, str], account: Account, readable: bool
) -> None:
    """Also where this identity may not look at it, as with the roles of deploy/."""
    key = put_theirs(embedded, environment, account)
    if not readable:
        embedded.switches.deny("s3", "HeadObject")
    code, story = ship(environment, "--only", "health")
    assert code == 0, story
    found = stored(embedded, environment)
    assert found.pop(key) == {"account": {}}
    [(own, document)] = found.items()
    assert own.startswith(f"{key.removesuffix('.json')}.")
    assert document["meta"]["period"]["start"] == key[-21:-11]


def test_a_past_day_that_it_has_is_read_all_the_same(
    embedded: EmbeddedCloud, environment: dict[str, str], account: Account
) -> None:
    key = put_theirs(embedded, environment, account, days_ago=3)
    day = key[-21:-11]
    code, story = ship(environment, "--start", day, "--end", day, "--only", "health")
    assert code == 0, story
    assert len(stored(embedded, environment)) == 2
