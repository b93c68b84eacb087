"""The story of the company, played: daily runs of both scripts, and what is kept of them.

What is kept in a folder is the database, the bucket and the day, which with the story's code are
all that there is: `Stage.restored` brings the cloud of a folder back as it was.
"""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Callable, Container
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO

from tests.cloud import NAME, EmbeddedCloud
from tests.cloud.clock import Clock
from tests.cloud.company import HOME, make_company
from tests.cloud.scripts import Scripts
from tests.cloud.story import DAYS, ONE_DAY, begin, begin_faults, pass_day, tell

SENDER = ("--organization", "--regions", "all")
FIRST_HALF = ("Payments", "Data")
"""The units that one sender collects, while another one collects the rest: two cores, two runs."""
CODES = (0, 1)
"""The scripts' exit codes: some accounts and categories fail in the story."""

DATABASE, BUCKET, DAY = "database.dump", "bucket.zip", "day"
"""The files of a folder; DAY has the day of the last run."""

EVERY_DAY = range(1, DAYS + 1)
Log = IO[bytes] | None
Progress = Callable[[int, date], None]


class PlayError(Exception):
    """A script has ended otherwise than is part of the story."""


@dataclass
class Stage:
    """The company's cloud, and the days that have passed in it."""

    embedded: EmbeddedCloud
    clock: Clock
    first: date
    number: int = 0

    @classmethod
    def empty(cls, parts: ExitStack, first: date) -> Stage:
        """The company on the eve of its first day; it ends with `parts`."""
        clock = parts.enter_context(Clock())
        cloud = make_company(first)
        begin(cloud)
        return cls(parts.enter_context(EmbeddedCloud(cloud, clock=clock)), clock, first)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the scripts run for the company."""
        own = {"CUSTOMER": "Brightquay", "PARTNER": "Brightquay", "PRODUCT": "Platform"}
        return self.embedded.environment(self.embedded.analytics.id, HOME) | own

    @property
    def dsn(self) -> str:
        """libpq's connection string of the database."""
        return self.embedded.postgres.dsn_for(NAME)

    def advance(self) -> None:
        """Let it be the next day; after the story's days nothing happens any more."""
        self.number += 1
        cloud = self.embedded.cloud
        if self.number > 1:
            pass_day(cloud)
        tell(cloud, self.number)
        begin_faults(self.embedded, self.number)

    def play(
        self, now: datetime, log: Log, progress: Progress, days: Container[int] = EVERY_DAY
    ) -> None:
        """Run both scripts once on each of the days, the last of all being now.

        PlayError if one ends otherwise than in the story.
        """
        more = self.environment | self.clock.environment
        [organization] = self.embedded.cloud.organizations
        units = ",".join(unit.id for unit in organization.units.values() if unit.name in FIRST_HALF)
        with (
            Scripts("sender", more, log) as sender,
            Scripts("sender", more, log) as other,
            Scripts("receiver", more, log) as receiver,
            ThreadPoolExecutor(1) as pool,
            ThreadPoolExecutor(1) as beside,
        ):
            loading: list[Future[int]] = [pool.submit(receiver.run, "--init-schema")]
            for number in EVERY_DAY:
                self.clock.move_to(now - (DAYS - number) * ONE_DAY)
                self.advance()
                if number not in days:
                    continue
                progress(number, self.clock.now().date())
                second = beside.submit(other.run, *SENDER, "--exclude-ou", units)
                check(sender.run(*SENDER, "--include-ou", units))
                check(second.result())
                loading.append(pool.submit(receiver.run))  # while the next day is collected
            for loaded in loading:
                check(loaded.result(), 0)

    def catch_up(self, today: date) -> None:
        """Tell the story again up to a day."""
        while self.number == 0 or self.first + (self.number - 1) * ONE_DAY < today:
            self.advance()

    # What is kept

    def keep(self, folder: Path) -> None:
        """Keep database, bucket and day in a folder, in place of what it had."""
        (folder / DAY).unlink(missing_ok=True)
        self._program("pg_dump", "--format=custom", f"--file={folder / DATABASE}", self.dsn)
        s3 = self.embedded.moto.client("s3", self.embedded.analytics.id, HOME)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.embedded.bucket)
        with zipfile.ZipFile(folder / BUCKET, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as kept:
            for item in (item for page in pages for item in page.get("Contents", ())):
                held = s3.get_object(Bucket=self.embedded.bucket, Key=item["Key"])
                info = zipfile.ZipInfo(item["Key"])
                info.compress_type = zipfile.ZIP_DEFLATED
                info.comment = json.dumps(held["Metadata"]).encode()
                kept.writestr(info, held["Body"].read())
        (folder / DAY).write_text(str(self.first + (self.number - 1) * ONE_DAY))

    @classmethod
    def restored(cls, parts: ExitStack, folder: Path) -> Stage:
        """The company as it was kept in a folder, and the days since have passed."""
        last = date.fromisoformat((folder / DAY).read_text())
        stage = cls.empty(parts, last - (DAYS - 1) * ONE_DAY)
        stage._program("pg_restore", f"--dbname={stage.dsn}", str(folder / DATABASE))
        put = stage.embedded.moto.client("s3", stage.embedded.analytics.id, HOME).put_object
        with zipfile.ZipFile(folder / BUCKET) as kept:
            for info in kept.infolist():
                put(
                    Bucket=stage.embedded.bucket, Key=info.filename, Body=kept.read(info),
                    Metadata=json.loads(info.comment), ServerSideEncryption="aws:kms",
                    SSEKMSKeyId=stage.embedded.key_arn,
                )  # fmt: skip
        stage.catch_up(datetime.now(UTC).date())
        return stage

    def _program(self, name: str, *arguments: str) -> None:
        """Run a program of PostgreSQL; PlayError with its words if it fails."""
        program = self.embedded.postgres.program(name)
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise PlayError(f"{name}: {done.stderr.strip()}")


def check(code: int, *codes: int) -> None:
    """PlayError unless a script has ended with one of these codes, or as it may in the story."""
    if code not in (codes or CODES):
        raise PlayError(f"a script ended with exit code {code}")
