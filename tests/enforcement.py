"""The policies of the templates in deploy/, switched on in the embedded cloud.

One account is the hub, which owns bucket and key; the others are spokes. Roles have the policies
of their template; users are administrators, held by the policies of bucket and key only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests import templates
from tests.cloud import ApiRequest, EmbeddedCloud
from tests.cloud.iam import Ask, Statement, is_allowed
from tests.cloud.identity import Identity
from tests.cloud.permissions import Permission, Uploads, needed

ORGANIZATION = "o-abcdefghij"
SENDER, RECEIVER = "observability-sender", "hub-ReceiverRole"
BREAK_GLASS = "observability-break-glass"
TASK, READER = "observability-organization", "ObservabilityReader"
EXTERNAL_ID = "sesame"
ADMINISTRATOR: Sequence[Statement] = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]


class Deployment:
    """deploy/hub.yaml and organization.yaml in the hub, spoke.yaml and member.yaml in all others,
    as deployed over an embedded cloud, the hub with parameters other than its defaults.

    Attributes:
        outsiders: accounts that are not of the organization.
        generous: accounts whose administrator has allowed their sender everything.
    """

    def __init__(self, embedded: EmbeddedCloud, bucket: str, **parameters: str) -> None:
        self.embedded, self.bucket = embedded, bucket
        self.parameters = parameters
        self.hub = embedded.analytics.id
        self.outsiders: set[str] = set()
        self.generous: set[str] = set()
        self._uploads = Uploads()
        self._senders: dict[str, list[dict[str, Any]]] = {}
        names = self._hub_names()
        self._bucket_policy = templates.statements(templates.HUB, "BucketPolicy", names)
        self._key_policy = templates.statements(templates.HUB, "DocumentsKey", names)
        self._secrets_key_policy = templates.statements(templates.HUB, "DatabaseKey", names)
        self._receiver = templates.statements(templates.HUB, "ReceiverRole", names)
        self._break_glass = templates.statements(templates.HUB, "BreakGlassRole", names)
        self._task = templates.statements(templates.ORGANIZATION, "TaskRole", self._task_names())

    def switch_on(self, *accounts: str) -> None:
        """Enforce the policies on the accounts, and on the hub."""
        for account in (self.hub, *accounts):
            self.embedded.switches.policies[account] = self.allows

    def role(self, account: str, name: str = SENDER) -> dict[str, str]:
        """The environment of a session of a role."""
        arn = f"arn:aws:iam::{account}:role/{name}"
        made = self.embedded.client("sts", account).assume_role(RoleArn=arn, RoleSessionName="test")
        keys = made["Credentials"]
        return self.embedded.environment(account) | {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
            "BUCKET": self.bucket,
        }

    def allows(self, request: ApiRequest) -> bool:
        """Whether IAM would let a request pass."""
        request = self._uploads.complete(request)
        permissions = needed(request)
        if request.service == "rds-data":
            permissions = self._data_api_permissions(request)
        return all(self._is_allowed(request, permission) for permission in permissions)

    def _is_allowed(self, request: ApiRequest, permission: Permission) -> bool:
        identity = request.identity
        organization = "o-elsewhere0" if identity.account in self.outsiders else ORGANIZATION
        owner, policy = self._resource_policy(request, permission)
        ask = Ask(
            permission.action,
            permission.resource,
            owner,
            identity.role_arn or identity.arn,
            organization,
            # The embedded cloud speaks HTTP, on this machine only; AWS's endpoints speak TLS.
            {"aws:securetransport": "true", **self._whose(owner), **permission.context},
        )
        return is_allowed(ask, self._identity_policy(identity), policy)

    def _identity_policy(self, identity: Identity) -> Sequence[Statement]:
        return self._role_policy(identity.account, identity.role_arn.rpartition("/")[2])

    def _role_policy(self, account: str, role: str) -> Sequence[Statement]:
        """The policy of a role; one that the templates do not make is an administrator."""
        of_hub = {RECEIVER: self._receiver, BREAK_GLASS: self._break_glass, TASK: self._task}
        if account == self.hub and role in of_hub:
            return of_hub[role]
        if role == READER:
            return templates.statements(templates.MEMBER, "Role", self._member_names(account))
        if role == SENDER and account not in self.generous:
            return self.sender_policy(account)
        return ADMINISTRATOR

    def sender_policy(self, account: str) -> Sequence[dict[str, Any]]:
        """The policy of an account's sender."""
        if account not in self._senders:
            names = self._spoke_names(account)
            self._senders[account] = templates.statements(templates.SPOKE, "SenderRole", names)
        return self._senders[account]

    def may(self, account: str, role: str, action: str, key: str, *, tls: bool = True) -> bool:
        """Whether a role's policy and the bucket's, the key aside, allow an action on an object."""
        context = {
            "aws:securetransport": str(tls).lower(),
            "s3:x-amz-server-side-encryption": "aws:kms",
            "s3:x-amz-server-side-encryption-aws-kms-key-id": self.embedded.key_arn,
            **self._whose(self.hub),
        }
        place = f"arn:aws:s3:::{self.bucket}/{key}"
        arn = f"arn:aws:iam::{account}:role/{role}"
        ask = Ask(action, place, self.hub, arn, ORGANIZATION, context)
        return is_allowed(ask, self._role_policy(account, role), self._bucket_policy)

    def _resource_policy(
        self, request: ApiRequest, permission: Permission
    ) -> tuple[str, Sequence[Statement] | None]:
        """Who owns a resource, and the policy that it has itself."""
        resource = permission.resource
        if resource.partition("/")[0] == f"arn:aws:s3:::{self.bucket}":
            return self.hub, self._bucket_policy
        if resource == self.embedded.key_arn:
            return self.hub, self._key_policy
        if resource == self._secrets_key:
            return self.hub, self._secrets_key_policy
        owned = resource.split(":")[4] if resource.count(":") > 4 else ""
        if resource == f"arn:aws:iam::{owned}:role/{READER}":
            return owned, self.trust(owned)
        is_key = permission.action.startswith("kms:")
        owner = owned if is_key and owned else request.account
        return owner, delegating(owner) if is_key else None

    def _whose(self, owner: str) -> dict[str, str]:
        """The account that a resource belongs to, and its organization."""
        organization = "o-elsewhere0" if owner in self.outsiders else ORGANIZATION
        return {"aws:resourceaccount": owner, "aws:resourceorgid": organization}

    def trust(self, account: str) -> Sequence[Statement]:
        """Who may assume the role of member.yaml in an account; the role itself is the resource."""
        role = templates.load(templates.MEMBER)["Resources"]["Role"]["Properties"]
        names = self._member_names(account)
        held = templates.resolve(role["AssumeRolePolicyDocument"]["Statement"], names)
        return [statement | {"Resource": "*"} for statement in held]

    def task(self) -> tuple[list[str], dict[str, str]]:
        """The task of organization.yaml: its command, and what its environment adds."""
        task = templates.load(templates.ORGANIZATION)["Resources"]["Task"]["Properties"]
        names = templates.conditions(templates.ORGANIZATION, self._task_names())
        [container] = templates.resolve(task["ContainerDefinitions"], names)
        environment = {held["Name"]: held["Value"] for held in container["Environment"]}
        return [str(word) for word in container["Command"]], environment

    def _data_api_permissions(self, request: ApiRequest) -> list[Permission]:
        """The Data API reads the secret for its caller; there is one cluster and one secret."""
        region = self.embedded.analytics.home_region
        context = {
            "kms:viaservice": f"secretsmanager.{region}.amazonaws.com",
            "kms:encryptioncontext:secretarn": self.embedded.secret_arn,
        }
        return [
            Permission(f"rds-data:{request.operation}", self.embedded.cluster_arn),
            Permission("secretsmanager:GetSecretValue", self.embedded.secret_arn),
            Permission("kms:Decrypt", self._secrets_key, context),
        ]

    @property
    def _secrets_key(self) -> str:
        region = self.embedded.analytics.home_region
        return f"arn:aws:kms:{region}:{self.hub}:key/the-key-of-secrets"

    def _names(self, account: str) -> dict[str, str]:
        return {
            "AWS::AccountId": account,
            "AWS::Partition": "aws",
            "AWS::Region": self.embedded.analytics.home_region,
            "AWS::URLSuffix": "amazonaws.com",
            "SystemName": "observability",
        }

    def _hub_names(self) -> dict[str, str]:
        return templates.defaults(templates.HUB) | self._names(self.hub) | self.parameters | {
            "OrganizationId": ORGANIZATION,
            "Bucket": self.bucket,
            "Bucket.Arn": f"arn:aws:s3:::{self.bucket}",
            "Cluster.DBClusterArn": self.embedded.cluster_arn,
            "DatabaseKey.Arn": self._secrets_key,
            "DocumentsKey.Arn": self.embedded.key_arn,
            "Queue.Arn": f"arn:aws:sqs:us-east-1:{self.hub}:queue",
            "ReceiverLog.Arn": f"arn:aws:logs:us-east-1:{self.hub}:log-group:receiver:*",
            "ReceiverRole.Arn": f"arn:aws:iam::{self.hub}:role/{RECEIVER}",
            "ReceiverSecret": self.embedded.secret_arn,
            "BreakGlassRole.Arn": f"arn:aws:iam::{self.hub}:role/{BREAK_GLASS}",
            "ReplicationRole.Arn": f"arn:aws:iam::{self.hub}:role/observability-replication",
        }  # fmt: skip

    def _task_names(self) -> dict[str, str]:
        parameters = templates.load(templates.ORGANIZATION)["Parameters"]
        defaults = {name: str(held.get("Default", "")) for name, held in parameters.items()}
        return self._names(self.hub) | defaults | {
            "OrganizationId": ORGANIZATION,
            "ExternalId": EXTERNAL_ID,
            "BucketName": self.bucket,
            "DocumentsKeyArn": self.embedded.key_arn,
            "CUSTOMER": "Example Corp",
            "LogGroup": "/ecs/task",
        }  # fmt: skip

    def _member_names(self, account: str) -> dict[str, str]:
        return templates.defaults(templates.MEMBER) | self._names(account) | {
            "OrganizationId": ORGANIZATION,
            "HubAccountId": self.hub,
            "ExternalId": EXTERNAL_ID,
        }  # fmt: skip

    def _spoke_names(self, account: str) -> dict[str, str]:
        return self._names(account) | {
            "BucketName": self.bucket,
            "DocumentsKeyArn": self.embedded.key_arn,
            "LogGroup.Arn": f"arn:aws:logs:us-east-1:{account}:log-group:sender:*",
        }


def delegating(account: str) -> Sequence[Statement]:
    """The policy that AWS gives a key if nobody gives another one."""
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    return [{"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"}]


def recorder(permissions: set[str]) -> Callable[[ApiRequest], bool]:
    """A policy that allows everything and writes down the actions that it was asked for."""
    uploads = Uploads()

    def record(request: ApiRequest) -> bool:
        permissions.update(one.action for one in needed(uploads.complete(request)))
        return True

    return record


def client(environment: dict[str, str], service: str) -> Any:
    """A boto3 client with the keys of an environment."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=environment["AWS_SESSION_TOKEN"],
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )
