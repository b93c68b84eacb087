"""Secrets of Secrets Manager."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from observability.collectors.security.secrets_manager import secret_row
from tests.collectors.conftest import Play
from tests.collectors.examples import instant, matches
from tests.collectors.losses import Denial, gone, security
from tests.collectors.registry import Golden, MadeOf
from tests.collectors.truth import Place, Truth
from tests.runs import Row, rows


def secrets(place: Place) -> Iterator[Row]:
    """Secrets, those included that are about to be deleted."""
    for held in place.own("secretsmanager", "secrets"):
        yield {
            "arn": held["ARN"],
            "deleted_date": held.get("DeletedDate"),
            "rotation_enabled": "LastRotatedDate" in held,
        }


TRUTH: Mapping[str, Truth] = {
    "security.secrets_manager": Truth(secrets, "secrets_manager_secrets", ("arn",)),
}

SECRET = "arn:aws:secretsmanager:us-west-2:123456789012:secret:MyTestSecret-a1b2c3"

# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
GOLDEN: Mapping[str, Golden] = {
    "security.secrets_manager": Golden(
        secret_row,
        {
            "ARN": SECRET,
            "Name": "MyTestSecret",
            "Description": "My test database secret",
            "RotationEnabled": True,
            "LastRotatedDate": datetime(2018, 4, 10, tzinfo=UTC),
            "LastChangedDate": datetime(2018, 4, 11, 20, 5, 45, 729000, tzinfo=UTC),
            "LastAccessedDate": datetime(2018, 4, 12, tzinfo=UTC),
            "DeletedDate": datetime(2018, 4, 20, 1, 2, 3, tzinfo=UTC),
            "CreatedDate": datetime(2018, 3, 1, 12, tzinfo=UTC),
            "SecretVersionsToStages": {"EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE": ["AWSCURRENT"]},
        },
        {
            "name": "MyTestSecret",
            "arn": SECRET,
            "description": "My test database secret",
            "created_date": "2018-03-01T12:00:00+00:00",
            "last_changed_date": "2018-04-11T20:05:45.729000+00:00",
            "last_rotated_date": "2018-04-10T00:00:00+00:00",
            "last_accessed_date": "2018-04-12T00:00:00+00:00",
            "deleted_date": "2018-04-20T01:02:03+00:00",
            "rotation_enabled": True,
        },
    ),
}

DENIALS: Mapping[str, Denial] = {
    "secretsmanager:ListSecrets": security(secrets_manager=gone),
}

MADE_OF: Mapping[str, MadeOf] = {
    "secret": (secret_row, "secretsmanager", "ListSecrets", "SecretList"),
}

EXAMPLES = {
    "secrets": "secretsmanager:ListSecrets",
}


def test_an_example_of_secrets(play: Play) -> None:
    arn = "arn:aws:secretsmanager:us-west-2:123456789012:secret:MyTestDatabaseSecret-a1b2c3"
    one, other = rows(play("security", secrets=0), "security.secrets_manager")
    assert matches(
        one,
        {
            "name": "MyTestDatabaseSecret",
            "arn": arn,
            "description": "My test database secret",
            "last_changed_date": instant("2018-04-11T20:05:45.729+00:00"),
            "created_date": None,
            "rotation_enabled": False,
        },
    )
    assert other["name"] == "MyTestDatabaseSecret1"
