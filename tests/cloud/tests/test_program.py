"""The embedded cloud as a program, and the demos."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import Any
from urllib.request import urlopen

import boto3
import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

from tests.cloud import EmbeddedCloud
from tests.cloud.demo_organization import BROKEN, PAYER, ROLE, SHOP
from tests.cloud.demo_organization import REGIONS as DEMO_REGIONS
from tests.cloud.running import show
from tests.cloud.tests.waiting import DEADLINE_SECONDS, error_of, wait_for
from tests.paths import ROOT


def start_program(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """`python -m tests.cloud` once it is ready, and what it says to export."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cloud", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    exports: dict[str, str] = {}
    while "PRODUCT" not in exports:
        line = process.stdout.readline()
        assert line.startswith("export "), f"it ended with {process.wait(DEADLINE_SECONDS)}"
        name, _, value = line.removeprefix("export ").strip().partition("=")
        exports[name] = value
    return process, exports


def connect(exports: dict[str, str], service: Any) -> Any:
    """A client of whoever the exports are for."""
    return boto3.client(
        service,
        endpoint_url=exports["AWS_ENDPOINT_URL"],
        region_name=exports["REGION"],
        aws_access_key_id=exports["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key="x",
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_program_takes_its_children_with_it(number: signal.Signals) -> None:
    process, exports = start_program("--size", "empty")
    try:
        with pytest.raises(OSError, match="403"):
            urlopen(exports["AWS_ENDPOINT_URL"])
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2, children
        process.send_signal(number)
        assert process.wait(DEADLINE_SECONDS) == (-number if number == signal.SIGKILL else 0)
        wait_for(lambda: not any(child.is_running() for child in children))
    finally:
        process.kill()


def test_big_objects_pass_through_without_being_held() -> None:
    process, exports = start_program("--size", "empty")
    try:
        s3 = connect(exports, "s3")
        s3.put_object(Bucket=exports["BUCKET"], Key="warm", Body=b"1")
        gateway = psutil.Process(process.pid)
        before = gateway.memory_info().rss
        s3.put_object(Bucket=exports["BUCKET"], Key="big", Body=b"x" * (96 << 20))
        body = s3.get_object(Bucket=exports["BUCKET"], Key="big")["Body"]
        received = sum(len(piece) for piece in body.iter_chunks(1 << 20))
        assert received == 96 << 20
        assert gateway.memory_info().rss - before < 24 << 20
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def test_accounts_and_sizes_can_be_chosen() -> None:
    process, exports = start_program(
        "--accounts", "2", "--page-size", "3", "--regions", "eu-west-1"
    )
    try:
        assert exports["REGION"] == exports["REGIONS"] == "eu-west-1"
        second = exports | {"AWS_ACCESS_KEY_ID": "AKIA0000111122224444"}
        page = connect(second, "kms").list_keys()
        assert len(page["Keys"]) == 3
        assert page["Truncated"]
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--regions", "bogus", "no region of AWS: 'bogus'"),
        ("--regions", "us-east-1,", "no region of AWS: ''"),
        ("--regions", "us-east-1,us-east-1", "'us-east-1,us-east-1' names a region twice"),
        ("--accounts", "0", "'0' is not a number from 1 to 10000"),
        ("--accounts", "many", "'many' is not a number from 1 to 10000"),
        ("--latency", "nan", "'nan' is not a number from 0.0 to 3600.0"),
        ("--page-size", "0", "'0' is not a number from 1 to 1000000"),
        ("--port", "65536", "'65536' is not a number from 0 to 65535"),
        ("--port", "TAKEN", "TAKEN: Address already in use"),
    ],
)
def test_a_wrong_flag_of_the_program_is_one_line(flag: str, value: str, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "tests.cloud", flag, value.replace("TAKEN", port)],
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            cwd=ROOT,
            check=False,
        )
    assert (done.returncode, done.stdout) == (2, "")
    usage, line = done.stderr.splitlines()
    assert usage == "usage: python -m tests.cloud [--help] [flags]"
    assert line.endswith(f" error: argument {flag}: {told.replace('TAKEN', port)}")


def test_ctrl_c_ends_a_demo_without_a_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cloud.demo_organization", "--verbose"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # else ignored under `&`
    )
    assert process.stderr is not None
    # CPython itself prints a traceback if a script is interrupted before its first line.
    assert any("regions at once" in line for line in process.stderr)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    _, story = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in story
    wait_for(lambda: not any(child.is_running() for child in children))


def test_the_organization_of_the_demo_can_be_tried_by_hand() -> None:
    process, exports = start_program("--organization")
    try:
        assert exports["REGIONS"] == ",".join(DEMO_REGIONS)
        below = connect(exports, "organizations").list_accounts_for_parent(
            ParentId=exports["SHOPS"]
        )
        assert [held["Id"] for held in below["Accounts"]] == [SHOP]
        sts = connect(exports, "sts")
        assert sts.get_caller_identity()["Account"] == PAYER

        def enter(account: str) -> Any:
            role = f"arn:aws:iam::{account}:role/{ROLE}"
            return sts.assume_role(RoleArn=role, RoleSessionName="tried")

        assert enter(SHOP)["Credentials"]
        assert error_of(lambda: enter(BROKEN)) == ("AccessDenied", 403)
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def test_a_table_on_a_narrow_terminal_has_account_ids_whole(
    embedded: EmbeddedCloud,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    wide = ", ".join(f"'{name * 30}' AS {name}" for name in "abcd")
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        show(connection, "Accounts", f"SELECT {wide}, '{PAYER}' AS account_id")
    shown = capsys.readouterr().out
    assert PAYER in shown
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 60
