"""Times at both ends of the calendar, in every time zone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cloud import Account, ApiRequest, EmbeddedCloud
from tests.cloud.switches import InstantAnswer
from tests.collectors.reading import without_bucket
from tests.conftest import REGIONS
from tests.runs import Document, Sent, lists, rows, send

HOME = REGIONS[0]
NEVER, FOR_EVER = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.fixture(params=["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The time zone of this process."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
def test_a_run_in_any_zone_has_the_same_rows_whatever_the_times_are(
    embedded: EmbeddedCloud, account: Account, whole: Document, tmp_path: Path
) -> None:
    """A patch that was never installed, a key and a certificate without an end."""
    machine = account.items("ssm", "instances", HOME)[0]["InstanceId"]
    certificate = account.items("acm", "certificates", HOME)[0]["CertificateArn"]
    patch = {
        "Title": "KB99", "KBId": "KB99", "Classification": "SecurityUpdates",
        "Severity": "Critical", "State": "MISSING", "InstalledTime": NEVER,
    }  # fmt: skip
    listed = {
        "CertificateArn": certificate, "DomainName": "one.example", "Status": "ISSUED",
        "Type": "IMPORTED", "NotBefore": NEVER, "NotAfter": FOR_EVER,
    }  # fmt: skip

    def patches(request: ApiRequest) -> None:
        if request.params["InstanceId"] == machine:
            raise InstantAnswer({"Patches": [patch]})

    def certificates(request: ApiRequest) -> None:
        more = "RootHierarchyTypes" in request.params
        raise InstantAnswer({"CertificateSummaryList": [] if more else [listed]})

    embedded.switches.intercept("ssm", "DescribeInstancePatches", patches)
    embedded.switches.intercept("acm", "ListCertificates", certificates)
    only = ("--only", "inventory,security")
    sent: Sent = send(without_bucket(embedded, account), tmp_path, *only)
    assert sent.code == 0, sent.said("ERROR")
    found, before = lists(sent.document), lists(whole)
    own = [row for row in found["inventory.patches"] if row["instance_id"] == machine]
    assert [(row["title"], row["installed_time"]) for row in own] == [("KB99", None)]
    others = [row for row in before["inventory.patches"] if row["instance_id"] != machine]
    assert others == [row for row in found["inventory.patches"] if row["instance_id"] != machine]
    [row] = rows(sent.document, "security.certificate_manager")
    assert row["not_before"] == "0001-01-01T00:00:00+00:00"
    assert row["not_after"] == "9999-12-31T23:59:59+00:00"
    for path in ("inventory.instances", "security.kms", "security.secrets_manager"):
        assert found[path] == before[path]
