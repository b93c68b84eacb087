"""One run over an organization, as it is told: stdout, log, terminal, Lambda."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import sender
from observability.errors import UsageError
from observability.sending.bucket import document_key
from tests.cloud import ApiRequest
from tests.conftest import REGIONS, Clock
from tests.lambda_runtime import Context
from tests.party import Party, RunOrganization, documents, places

HOME, OTHER = REGIONS
BOTH = ("--regions", ",".join(REGIONS))


def test_a_dry_run_writes_one_document_a_line(
    party: Party, run_organization: RunOrganization, tmp_path: Path
) -> None:
    target = tmp_path / "documents.json"
    done = run_organization(
        "--organization", *BOTH, "--only", "security", "--dry-run", "--output", str(target),
        "--exclude-accounts", party.broken.id,
    )  # fmt: skip
    assert done.code == 0
    metas = [json.loads(line)["meta"] for line in target.read_text().splitlines()]
    assert {f"{m['account_id']}/{m['region']}" for m in metas} == places(*party.whole)


def test_lines_of_the_log_name_the_account(party: Party) -> None:
    done = subprocess.run(
        [sys.executable, sender.__file__, "--organization", "--only", "security"],
        env=os.environ | party.environment,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    for account in party.whole:
        assert any(re.search(rf" SUCCESS {account.id} security: \d+ rows", line) for line in lines)
    assert any(f" ERROR   {party.broken.id} sts:AssumeRole denied" in line for line in lines)
    assert "Traceback" not in done.stderr


def test_each_call_in_the_log_names_the_account_that_made_it(
    party: Party, run_organization: RunOrganization
) -> None:
    s3 = party.embedded.client("s3", party.embedded.analytics.id)
    earlier = datetime.now(UTC).date() - timedelta(days=2)
    for account in party.whole:  # what has changed since is the administrator's to read
        key = document_key("data", account.id, HOME, earlier)
        s3.put_object(Bucket=party.environment["BUCKET"], Key=key, Body=b"{}")
    party.embedded.forget_calls()
    flags = ("--only", "security,account", "--exclude-accounts", party.broken.id)
    done = run_organization("--organization", *flags)
    told = Counter(
        (held.get("account"), held["operation"]) for held in done.story if held["kind"] == "CALL"
    )
    made = [call for call in party.embedded.calls if call.attempt == 1]
    assert told == Counter((call.account, f"{call.service}:{call.operation}") for call in made)
    by_administrator = {operation for account, operation in told if account == party.security.id}
    assert "securityhub:ListMembers" in by_administrator
    assert told[party.payer.id, "sts:AssumeRole"] >= 3


def test_each_call_is_told_to_those_who_ask_with_its_account(party: Party) -> None:
    done = subprocess.run(
        [sys.executable, sender.__file__, "--accounts", party.shop.id, "--only", "security", "-v"],
        env=os.environ | party.environment,
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    calls = re.findall(r" CALL +(\S+) (\w+:\w+) \S+ \d", done.stderr)
    assert (party.payer.id, "sts:AssumeRole") in calls
    assert (party.payer.id, "s3:PutObject") in calls
    assert (party.shop.id, "kms:ListKeys") in calls
    assert {account for account, _ in calls} == {party.payer.id, party.shop.id}


def test_a_signal_stops_it_and_uploads_nothing_half(party: Party) -> None:
    party.embedded.switches.hang("secretsmanager", account=party.shop.id)
    with subprocess.Popen(
        [sys.executable, sender.__file__, "--organization", "--only", "security"],
        env=os.environ | party.environment, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr
        uploaded = 0
        while uploaded < 3:  # the payer, security and europe; the shop hangs
            line = process.stderr.readline()
            assert line, "it ended by itself"
            uploaded += " s3://" in line
        process.send_signal(signal.SIGTERM)
        assert "nothing half is uploaded" in process.stderr.read()
    assert process.returncode == 128 + signal.SIGTERM
    others = (party.payer, party.security, party.europe)
    assert documents(party).keys() == places(*others, regions=(HOME,))


def on_a_terminal(
    party: Party, *flags: str, held: tuple[str, str], wanted: Sequence[str]
) -> tuple[int, str, str]:
    """Run the sender on a terminal: exit code, stdout, and what the terminal has shown.

    An API, as service and operation, is held up until all that is wanted has been shown.
    """
    seen = threading.Event()

    def hold(_request: ApiRequest) -> None:
        seen.wait(60)

    party.embedded.switches.intercept(*held, hold)
    outside, inside = pty.openpty()
    with subprocess.Popen(
        [sys.executable, sender.__file__, *flags],
        env=os.environ | party.environment | {"TERM": "xterm", "COLUMNS": "160"},
        stdout=subprocess.PIPE, stderr=inside, text=True,
    ) as process:  # fmt: skip
        os.close(inside)
        shown = b""
        try:
            while piece := os.read(outside, 65536):
                shown += piece
                if all(re.search(text.encode(), shown) for text in wanted):
                    seen.set()
        except OSError:  # the terminal's other end is closed
            pass
        assert process.stdout
        out = process.stdout.read()
    os.close(outside)
    return process.returncode, out, shown.decode()


def test_a_terminal_shows_how_far_the_run_is(party: Party) -> None:
    wanted = (
        r"[0-4] of 5 accounts done, [01] failed, [1-5] running",
        rf"{party.shop.id}\s+{HOME}\s+\d+\s+\d+",
    )
    flags = ("--organization", "--only", "security")
    code, out, shown = on_a_terminal(party, *flags, held=("kms", "ListKeys"), wanted=wanted)
    assert code == 1
    assert "5 accounts, 1 failed" in out
    for text in wanted:
        assert re.search(text, shown)


def test_a_terminal_shows_the_regions_of_the_callers_own_account(party: Party) -> None:
    wanted = (
        "0 documents, 2 running; ",
        *(rf"{party.payer.id}\s+{region}\s+\d+\s+\d+" for region in REGIONS),
    )
    held = ("secretsmanager", "ListSecrets")
    code, out, shown = on_a_terminal(party, *BOTH, "--only", "security", held=held, wanted=wanted)
    assert (code, out.count("s3://")) == (0, 2)
    for text in wanted:
        assert re.search(text, shown)
    for region in REGIONS:
        assert re.search(rf" SUCCESS {region} security: \d+ rows", shown)


def test_a_lambda_function_reads_the_accounts_that_the_event_names(
    party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in party.environment.items():
        monkeypatch.setenv(name, value)
    event = {"accounts": [party.shop.id, party.europe.id], "only": ["security"]}
    told = sender.lambda_handler(event, Context(300.0))
    assert len(told["documents"]) == 2
    assert documents(party).keys() == places(party.shop, party.europe, regions=(HOME,))
    with pytest.raises(RuntimeError, match="1 failed"):
        sender.lambda_handler({**event, "accounts": [party.broken.id]}, Context(300.0))


def test_a_lambda_function_uploads_before_its_end_though_its_account_is_throttled(
    party: Party, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    for name, value in party.environment.items():
        monkeypatch.setenv(name, value)
    context = Context(200.0)
    left: list[int] = []
    party.embedded.switches.intercept(
        "account", "GetAccountInformation", lambda _: clock.forward(50)
    )
    party.embedded.switches.throttle("account", "GetAccountInformation")
    party.embedded.switches.intercept(
        "s3", "PutObject", lambda _: left.append(context.get_remaining_time_in_millis())
    )
    with pytest.raises(RuntimeError, match="1 Fail"):
        sender.lambda_handler({"only": "account"}, context)
    assert len(left) == 1
    assert left[0] > 0


@pytest.mark.parametrize(
    "event",
    [
        {"strat": "2026-01-01"}, {"accounts": []}, {"accounts": 111122223333}, {"only": ""},
        {"only": ["health", 5]}, {"only": [None]}, {"only": ","}, {"accounts": [","]},
        {"accounts": ["111122223333", ""]}, {"full": "maybe"}, {"resume": "o-abcdefghij"},
    ],
)  # fmt: skip
def test_a_lambda_function_does_not_guess_what_an_event_means(
    event: dict[str, Any], party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in party.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=next(iter(event))):
        sender.lambda_handler(event, Context(300.0))
    assert documents(party) == {}
