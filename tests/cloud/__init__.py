"""The embedded cloud: AWS on one machine, for the demo, the tests and the benchmarks.

One process listens on one port of 127.0.0.1, which `AWS_ENDPOINT_URL` may name. Behind it are a
real PostgreSQL with a strict RDS Data API, moto's server, and answers that are made from generated
accounts and held to botocore's models.

    cloud = Cloud.of(generate("111122223333", Size.small(), 1, date.today(), ["us-east-1"]))
    with EmbeddedCloud(cloud) as embedded:
        subprocess.run(["sender.py"], env=os.environ | embedded.environment("111122223333"))
"""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config

from tests.cloud.accounts import Account, Cloud, Size, generate
from tests.cloud.calls import CallRecord
from tests.cloud.clock import Clock
from tests.cloud.data_api import DataApi
from tests.cloud.gateway import Gateway
from tests.cloud.identity import SECRET_KEY, AccessKeys
from tests.cloud.moto_backend import MotoBackend
from tests.cloud.moto_server import MotoServer
from tests.cloud.postgres import Postgres
from tests.cloud.switches import ApiRequest, Rule, Switches

__all__ = [
    "Account",
    "ApiRequest",
    "CallRecord",
    "Cloud",
    "EmbeddedCloud",
    "Rule",
    "Size",
    "Switches",
    "generate",
]

NAME = "observability"
"""What the database, the cluster and, with the account's id, the bucket are called."""


class EmbeddedCloud:
    """A context manager around all parts. Everything it starts ends with it, or with the process.

    The first account of the cloud is the analytics account: bucket, key and database are its own.
    Accounts may be added while it runs.

    Args:
        latency: seconds that every call waits before it is answered.
        port: where to listen; 0 takes a free one.
        clock: what time it is; None: the machine's.

    Attributes:
        url: the endpoint for all services.
        bucket, key_arn: where documents go and what encrypts them.
        keys: the access keys, and who may assume which role.
    """

    def __init__(
        self, cloud: Cloud, *, latency: float = 0.0, port: int = 0, clock: Clock | None = None
    ) -> None:
        self.cloud = cloud
        self.clock = clock
        if clock:
            cloud.now = clock.now
        self.url = ""
        self.bucket = ""
        self.key_arn = ""
        self.postgres = Postgres()
        self.switches = Switches(latency)
        self.keys = AccessKeys()
        self._port = port
        self._parts = ExitStack()
        self._numbers = itertools.count(1)
        self._session = boto3.session.Session()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> EmbeddedCloud:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def analytics(self) -> Account:
        """The account that owns bucket, key and database."""
        return next(iter(self.cloud.accounts.values()))

    @property
    def cluster_arn(self) -> str:
        """The Aurora cluster behind the Data API."""
        return self.analytics.arn("rds", f"cluster:{NAME}", self.analytics.home_region)

    @property
    def secret_arn(self) -> str:
        """The secret with the database's credentials."""
        return self.analytics.arn(
            "secretsmanager", f"secret:{NAME}-Ab1Cd2", self.analytics.home_region
        )

    @property
    def calls(self) -> list[CallRecord]:
        """The log of all requests, oldest first; `forget_calls` begins anew."""
        return self.gateway.calls

    def forget_calls(self) -> None:
        """Begin another log, without requests that are still being answered."""
        self.gateway.calls = []

    def start(self) -> None:
        """Start all parts, side by side. What has started is stopped if one of them fails."""
        with ExitStack() as parts, ThreadPoolExecutor() as pool:
            moto_server = MotoServer(self.clock.environment if self.clock else {})
            for part in (self.postgres, moto_server):
                parts.callback(part.stop)
            list(pool.map(lambda part: part.start(), (self.postgres, moto_server)))
            self._connect(moto_server.port, parts)
            self._create_analytics(pool)
            self._parts = parts.pop_all()

    def stop(self) -> None:
        """Stop everything; what hangs is cut. Does nothing if nothing runs."""
        self._parts.close()

    def _connect(self, moto_port: int, parts: ExitStack) -> None:
        """Put the gateway in front of the parts that have started."""
        self.moto = MotoBackend(moto_port)
        parts.callback(self.moto.close)
        self.data_api = DataApi(
            self.postgres.dsn_for,
            cluster_arn=self.cluster_arn,
            secret_arn=self.secret_arn,
            default_database=NAME,
        )
        parts.callback(self.data_api.close)
        self.gateway = Gateway(
            self.cloud,
            moto=self.moto,
            data_api=self.data_api,
            switches=self.switches,
            keys=self.keys,
        )
        for account_id in self.cloud.accounts:
            self.keys.user_key(account_id)
        self.url = f"http://127.0.0.1:{self.gateway.serve(self._port)}"
        parts.callback(self.gateway.stop)
        parts.callback(self.switches.reset)

    def _create_analytics(self, pool: ThreadPoolExecutor) -> None:
        """Create database, bucket and key of the analytics account."""
        database = pool.submit(self.postgres.create_database, NAME)
        kms = self.moto.client("kms", self.analytics.id, self.analytics.home_region)
        self.key_arn = kms.create_key(Description="Documents")["KeyMetadata"]["Arn"]
        self.bucket = self.create_bucket(f"{NAME}-{self.analytics.id}")
        database.result()

    def add(self, account: Account) -> Account:
        """Add an account while the cloud runs."""
        with self._lock:
            self.cloud.accounts[account.id] = account
        self.keys.user_key(account.id)
        return account

    def create_bucket(self, name: str = "") -> str:
        """Create a bucket of the analytics account, by default under a new name; return it."""
        name = name or f"{NAME}-{next(self._numbers):04}"
        region = self.analytics.home_region
        where = (
            {}
            if region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        self.moto.client("s3", self.analytics.id, region).create_bucket(Bucket=name, **where)
        return name

    def create_database(self, *, template: str = "template1") -> str:
        """Create a database under a new name, empty or a copy of `template`; return its name."""
        name = f"{NAME}_{next(self._numbers):04}"
        self.postgres.create_database(name, template=template)
        return name

    def environment(self, account_id: str, region: str | None = None) -> dict[str, str]:
        """The environment in which sender and receiver run as that account's user."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.keys.user_key(account_id),
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": region or self.cloud.accounts[account_id].home_region,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",  # which Python prefers, where a shell has both
            "BUCKET": self.bucket,
            "REGION": region or self.cloud.accounts[account_id].home_region,
            "ANALYTICS_KMS_KEY": self.key_arn,
            "DB_NAME": NAME,
            "AURORA_CLUSTER_ARN": self.cluster_arn,
            "AURORA_SECRET_ARN": self.secret_arn,
            "CUSTOMER": "Example Corp",
            "PARTNER": "Example Partner",
            "CATEGORY": "Production",
            "ENVIRONMENT": "production",
            "PRODUCT": "Shop,Billing",
        }

    def client(
        self, service: str, account_id: str, region: str | None = None, **options: Any
    ) -> Any:
        """A plain boto3 client of the account's user; options are those of botocore's Config.

        Those without options are kept: making one takes 20 ms.
        """
        region = region or self.cloud.accounts[account_id].home_region
        key = (service, account_id, region)
        # One session reads each service's model once; it may create one client at a time.
        with self._lock:
            if not options and key in self._clients:
                return self._clients[key]
            made = self._session.client(
                service,  # type: ignore[call-overload]
                endpoint_url=self.url,
                aws_access_key_id=self.keys.user_key(account_id),
                aws_secret_access_key=SECRET_KEY,
                region_name=region,
                config=Config(**{"retries": {"total_max_attempts": 1}, "proxies": {}, **options}),
            )
            if not options:
                self._clients[key] = made
            return made
