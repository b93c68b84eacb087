"""A run that goes on where another one ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.cloud.switches import InstantAnswer
from tests.conftest import REGIONS
from tests.party import ROLE, Party, RunOrganization, documents, places

HOME, OTHER = REGIONS
BOTH = ("--regions", ",".join(REGIONS))


def test_resume_reads_what_was_not_uploaded_today(
    party: Party, run_organization: RunOrganization
) -> None:
    asked = ("--organization", "--only", "security", *BOTH, "--resume")
    assert run_organization(*asked).code == 1
    party.embedded.keys.make_role(party.broken.id, ROLE, party.payer.id)
    party.embedded.forget_calls()
    done = run_organization(*asked)
    assert done.code == 0, done.out
    assert documents(party).keys() == places(*party.whole, party.broken)
    assert {c.account for c in party.embedded.calls if c.operation == "ListSecrets"} == {
        party.broken.id
    }
    before = ", ".join(sorted(account.id for account in party.whole))
    assert done.beginning("left out, region") == [
        f"left out, region {region}, uploaded earlier today: {before}" for region in sorted(REGIONS)
    ]
    assert len(done.beginning("s3://")) == 2


def test_resume_knows_documents_that_are_loaded_and_those_of_another_day(
    party: Party, run_organization: RunOrganization
) -> None:
    asked = ("--accounts", party.shop.id, "--only", "security", "--resume")
    assert run_organization(*asked).code == 0
    s3 = party.embedded.client("s3", party.embedded.analytics.id)
    bucket = party.environment["BUCKET"]
    held = s3.list_objects_v2(Bucket=bucket)["Contents"]
    key, note = sorted(each["Key"] for each in held)
    assert note == f"uploads/{key.removeprefix('data/').removesuffix('json')}{party.payer.id}"
    s3.copy_object(
        Bucket=bucket, Key=key.replace("data/", "loaded/", 1), CopySource=f"{bucket}/{key}"
    )
    s3.delete_object(Bucket=bucket, Key=key)
    assert run_organization(*asked).beginning(f"left out, region {HOME}, uploaded earlier today")

    yesterday = datetime.now(UTC) - timedelta(days=1)

    def answer(request: Any) -> None:
        contents = [{"Key": note, "Size": 0, "LastModified": yesterday}]
        prefix = request.params["Prefix"]
        raise InstantAnswer(
            {
                "Name": bucket, "Prefix": prefix, "IsTruncated": False, "KeyCount": 1,
                "MaxKeys": 1000, "Contents": contents if note.startswith(prefix) else [],
            }
        )  # fmt: skip

    party.embedded.switches.intercept("s3", "ListObjectsV2", answer)
    done = run_organization(*asked)
    assert not done.beginning("left out")
    assert len(done.beginning("s3://")) == 1


def test_what_an_account_puts_itself_does_not_leave_it_out(
    party: Party, run_organization: RunOrganization
) -> None:
    """Nor does the note of another run; where notes cannot be left or listed, nothing is lost."""
    s3 = party.embedded.client("s3", party.embedded.analytics.id)
    bucket = party.environment["BUCKET"]
    day = datetime.now(UTC).date() - timedelta(days=1)
    name = f"{party.shop.id}/{HOME}/{day}_DAILY"
    own = {f"data/{name}.json": b"{}", f"uploads/{name}.{party.security.id}": b""}
    for key, body in own.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    asked = ("--accounts", f"{party.shop.id},{party.payer.id}", "--only", "security", "--resume")
    notes = f"uploads/{party.shop.id}/{HOME}/"
    party.embedded.switches.deny(
        "s3", "ListObjectsV2", predicate=lambda request: request.params["Prefix"] == notes
    )
    done = run_organization(*asked)
    assert (done.code, len(done.beginning("s3://"))) == (0, 2)
    assert [text for text in done.messages() if "--resume leaves nothing out" in text]
    party.embedded.switches.reset()
    keys = {held["Key"] for held in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert {*own, f"uploads/{name}.{party.payer.id}"} < keys
    assert f"data/{name.replace(party.shop.id, party.payer.id)}.json" in keys
    assert not run_organization(*asked).beginning("s3://")


def test_resume_of_a_backfill_wants_every_day(
    party: Party, run_organization: RunOrganization
) -> None:
    today = datetime.now(UTC).date()
    first, middle, last = (str(today - timedelta(days=ago)) for ago in (4, 3, 2))
    asked = ("--accounts", party.shop.id, "--only", "cost", "--resume", "--start", first)
    assert run_organization(*asked, "--end", middle).code == 0
    assert not run_organization(*asked, "--end", middle).beginning("s3://")
    assert run_organization(*asked, "--end", last).beginning(
        "failed, "
    )  # the first two days wait to be loaded
    assert run_organization(*asked, "--end", last).beginning(
        f"left out, region {HOME}, uploaded earlier"
    )
