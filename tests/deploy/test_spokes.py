"""deploy.sh: a StackSet's operation that fails tells where and why; steps, and back again."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHA = "0123456789abcdef" * 4

AWS = """#!/usr/bin/env bash
# The AWS CLI over a StackSet of so many ACCOUNTS, whose operation ends in STATUS.
echo "$*" >> "$ASKED"
case "$*" in
    *list-stack-sets*) echo observability-spokes ;;
    *describe-stack-set-operation*) echo "$STATUS" ;;
    *"=='BackupAccountId'"*) echo "${HOLDER:-None}" ;;
    *"=='CodeKey'"*) echo "$USED" ;;
    *sort_by*)
        printf 'sender-aa.zip\\tv1\\nsender-cc.zip\\tv2\\nsender-bb.zip\\tv3\\n' ;;
    *describe-stack-set\\ *) printf 'CUSTOMER\\tExample\\nGONE\\tx\\nCodeKey\\t%s\\n' "$USED" ;;
    *list-stack-instances*) seq 100000000001 $((100000000000 + ACCOUNTS)) | tr '\\n' '\\t' ;;
    *list-stack-set-operation-results*)
        printf '100000000002\\tus-east-1\\tFAILED\\tAccount is suspended\\n'
        printf '100000000003\\tus-east-1\\tCANCELLED\\tCancelled since failure tolerance\\n' ;;
    *update-stack-set*) echo operation-1 ;;
    *describe-stacks*) echo something ;;
    *configure*) echo us-east-1 ;;
esac
"""
PYTHON = f"""#!/usr/bin/env bash
case "$*" in
    *deploy/build.py*) printf '{SHA}  build/%s.zip\\n' receiver sender ;;
    *receiver.py*) echo "$*" >> "$ASKED" ;;
    *) exec "$REAL" "$@" ;;
esac
"""


def deploy(
    directory: Path, accounts: int, status: str, what: str = "spokes", **more: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    """deploy.sh, such as `spokes`, over so many accounts; what it asked of the AWS CLI."""
    for name, text in (("aws", AWS), ("python", PYTHON)):
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    asked = directory / "asked"
    settings = {
        "PATH": f"{directory}:{os.environ['PATH']}",
        "BIN": str(directory),
        "REAL": str(ROOT / ".venv" / "bin" / "python"),
        "ASKED": str(asked),
        "ACCOUNTS": str(accounts),
        "STATUS": status,
        "YES": "1",
    } | more
    script = str(ROOT / "deploy" / "deploy.sh")
    done = subprocess.run(
        ["bash", script, what], env=settings, capture_output=True, text=True, check=False
    )
    return done, asked.read_text()


@pytest.mark.parametrize(
    ("accounts", "tolerated"), [(0, 1), (1, 1), (9, 1), (19, 1), (20, 2), (250, 25)]
)
def test_a_tenth_of_the_accounts_may_fail_and_one_at_least(
    tmp_path: Path, accounts: int, tolerated: int
) -> None:
    done, asked = deploy(tmp_path, accounts, "SUCCEEDED")
    assert done.returncode == 0, done.stderr
    assert f"FailureToleranceCount={tolerated}," in asked
    assert "operation-results" not in asked


def test_an_operation_that_fails_lists_accounts_and_reasons(tmp_path: Path) -> None:
    done, _ = deploy(tmp_path, 4, "FAILED")
    assert done.returncode == 1
    assert "100000000002\tus-east-1\tFAILED\tAccount is suspended" in done.stderr
    assert "100000000003\tus-east-1\tCANCELLED" in done.stderr


@pytest.mark.parametrize(
    ("used", "before"),
    [("sender-bb.zip", "sender-cc.zip v2"), ("sender-cc.zip", "sender-aa.zip v1")],
)
def test_rolling_back_takes_the_package_that_was_put_before_the_one_in_use(
    tmp_path: Path, used: str, before: str
) -> None:
    done, asked = deploy(tmp_path, 4, "SUCCEEDED", ROLL_BACK="1", USED=used)
    assert done.returncode == 0, done.stderr
    key, version = before.split()
    [update] = [line for line in asked.splitlines() if "update-stack-set" in line]
    assert f'"CodeKey", "ParameterValue": "{key}"' in update
    assert f'"CodeVersion", "ParameterValue": "{version}"' in update


def steps(asked: str) -> list[str]:
    """What is done to the hub, in order: schema.sql, and each stack."""
    found = re.findall(r"--(?:init-(schema)|stack-name) ?(\S*) --(?:template-file|patience)", asked)
    return [schema or name for schema, name in found]


def test_the_schema_comes_before_the_code_and_stays_when_the_code_goes_back(tmp_path: Path) -> None:
    stacks = ["observability", "observability-alarms"]
    done, asked = deploy(tmp_path, 0, "SUCCEEDED", what="hub", USED="receiver-cc.zip")
    assert done.returncode == 0, done.stderr
    assert steps(asked) == ["observability-packages", "schema", *stacks]
    assert f"CodeKey=receiver-{SHA[:16]}.zip" in asked
    (tmp_path / "asked").unlink()
    more = {"ROLL_BACK": "1", "USED": "sender-cc.zip", "HOLDER": "444455556666"}
    done, asked = deploy(tmp_path, 0, "SUCCEEDED", what="hub", **more)
    assert done.returncode == 0, done.stderr
    assert steps(asked) == ["observability-packages", *stacks, "observability-backup"]
    assert "CodeKey=sender-aa.zip CodeVersion=v1" in asked
    assert "BackupAccountId=444455556666 ClusterArn=something" in asked
    (tmp_path / "asked").unlink()
    done, asked = deploy(tmp_path, 0, "SUCCEEDED", what="schema")
    assert (done.returncode, steps(asked)) == (0, ["schema"])


def test_a_hub_does_not_move_to_another_network(tmp_path: Path) -> None:
    given = {"VPC": "vpc-0123456789abcdef0", "SUBNETS": "subnet-0123456789abcdef0"}
    done, asked = deploy(tmp_path, 4, "SUCCEEDED", what="hub", **given)
    assert done.returncode == 2
    assert done.stderr.startswith("VPC: a database cannot move to another network")
    done, asked = deploy(tmp_path, 4, "SUCCEEDED", what="hub", **given | {"SUBNETS": ""})
    assert (done.returncode, done.stderr) == (2, "SUBNETS is not set; see deploy/README.md\n")
    assert "deploy --stack-name" not in asked


def test_rolling_back_ends_where_there_is_nothing_before(tmp_path: Path) -> None:
    done, asked = deploy(tmp_path, 4, "SUCCEEDED", ROLL_BACK="1", USED="sender-aa.zip")
    assert done.returncode != 0
    assert "there is no package of the sender before sender-aa.zip" in done.stderr
    assert "update-stack-set" not in asked
