"""Secrets of Secrets Manager."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from observability.collectors.security.secrets_manager import secret_row
from tests.collectors.conftest import Play
from tests.collectors.examples import instant, matches
from tests.collectors.losses import Denial, gone, security
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth
from tests.runs import Row, rows


def secrets(place: Place) -> Iterator[Row]:
    """Secrets, those included that are about to be deleted."""
    for held in place.own("secretsmanager", "secrets"):
        yield {
            "name": held["Name"],
            "arn": held["ARN"],
            "description": held.get("Description"),
            "created_date": held["CreatedDate"],
            "last_changed_date": held["LastChangedDate"],
            "last_rotated_date": held.get("LastRotatedDate"),
            "last_accessed_date": held["LastAccessedDate"],
            "deleted_date": held.get("DeletedDate"),
            "rotation_enabled": "LastRotatedDate" in held,
        }


TRUTH: Mapping[str, Truth] = {
    "security.secrets_manager": Truth(secrets, "secrets_manager_secrets", ("arn",)),
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
