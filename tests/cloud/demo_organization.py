"""`make demo-org`: one run of sender.py over an organization on one machine, then a short report.

The organization has a payer, who runs the sender, a delegated administrator and members in nested
units. One of them is suspended, one has no role to assume, and one may not use a region.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

import psycopg

from tests.cloud import Cloud, EmbeddedCloud, Size, generate
from tests.cloud.company import words_of
from tests.cloud.organization import Organization
from tests.cloud.running import command, run, show

PAYER, SECURITY, SHOP, TILLS, SANDBOX, BROKEN, CLOSED = (
    "111122223333", "222233334444", "333344445555", "444455556666", "555566667777",
    "666677778888", "777788889999",
)  # fmt: skip
ROLE = "ObservabilityReader"
REGIONS = ("us-east-1", "eu-west-1")
APPS = ("management", "security", "webshop", "tills", "sandbox", "stores", "closed")
BROKEN_ACCOUNT = 1
"""The sender's exit code if an account could not be read."""

ACCOUNTS = """
SELECT a.account_id, a.customer_name AS customer, a.category, a.account_type AS environment,
       string_agg(DISTINCT a.region, ', ') AS regions, string_agg(DISTINCT p.name, ', ') AS products
FROM accounts a
LEFT JOIN product_accounts pa ON pa.account_id = a.id AND pa.gone_at IS NULL
LEFT JOIN products p ON p.id = pa.product_id
GROUP BY 1, 2, 3, 4 ORDER BY 1"""

COSTS = """
SELECT a.customer_name AS customer, count(DISTINCT a.account_id) AS accounts,
       round(sum(s.cost), 2) AS cost, min(s.currency) AS currency
FROM services s JOIN accounts a ON a.id = s.account_id
GROUP BY 1 ORDER BY sum(s.cost) DESC"""

FINDINGS = """
SELECT a.account_id, a.region,
       count(*) FILTER (WHERE f.severity = 'CRITICAL') AS critical,
       count(*) FILTER (WHERE f.severity = 'HIGH') AS high, count(*) AS open
FROM findings f JOIN accounts a ON a.id = f.account_id
WHERE f.status NOT IN ('RESOLVED', 'SUPPRESSED') AND f.record_state = 'ACTIVE'
GROUP BY 1, 2 ORDER BY 3 DESC, 4 DESC, 1, 2"""


def make_organization() -> Cloud:
    """A cloud of seven accounts that are one organization."""
    today = datetime.now(UTC).date()
    little = Size.small().scaled(0.4)
    sizes = {PAYER: little, SHOP: Size.small(), CLOSED: Size.empty()}
    accounts = {
        name: generate(name, sizes.get(name, little), number, today, REGIONS)
        for number, name in enumerate((PAYER, SECURITY, SHOP, TILLS, SANDBOX, BROKEN, CLOSED), 1)
    }
    for account, app in zip(accounts.values(), APPS, strict=True):
        account.name, account.words = app, words_of(app)
        account.email = f"aws+{app}@example.com"
    organization = Organization(accounts[PAYER])
    shops = organization.unit("Shops")
    tills = organization.unit("Tills", shops)
    organization.join(accounts[SECURITY], customer="Example Corp", category="Security")
    organization.join(
        accounts[SHOP], shops, customer="Shop Corp", category="Retail", product="Web:Search"
    )
    organization.join(accounts[TILLS], tills, customer="Shop Corp", category="Retail")
    organization.join(accounts[SANDBOX], environment="sandbox")
    organization.join(accounts[BROKEN], tills, customer="Shop Corp")
    organization.join(accounts[CLOSED], state="SUSPENDED")
    organization.delegate(accounts[SECURITY], "securityhub.amazonaws.com")
    cloud = Cloud.of(*accounts.values())
    cloud.organizations.append(organization)
    return cloud


def set_up(embedded: EmbeddedCloud) -> None:
    """What the accounts of `make_organization` let the payer do, once their cloud runs."""
    for name in (SECURITY, SHOP, TILLS, SANDBOX):
        embedded.keys.make_role(name, ROLE, PAYER)
    embedded.keys.make_role(BROKEN, "Administrator", PAYER)
    embedded.switches.deny_by_scp(REGIONS[1], account=SANDBOX)


def main() -> None:
    """Run the demo; ends with the exit code of a script that failed otherwise than is shown."""
    started = time.monotonic()
    quiet = () if "--verbose" in sys.argv else ("--quiet",)
    with EmbeddedCloud(make_organization()) as embedded:
        set_up(embedded)
        environment = embedded.environment(PAYER)
        run(environment, "receiver.py", "--init-schema", *quiet)
        run(environment, "sender.py", "--organization", "--check", *quiet, codes=(BROKEN_ACCOUNT,))
        run(
            environment, "sender.py", "--organization", "--regions", "all", *quiet,
            codes=(BROKEN_ACCOUNT,),
        )  # fmt: skip
        print(f"exit code {BROKEN_ACCOUNT}, since {BROKEN} has no such role", flush=True)
        run(environment, "receiver.py", *quiet)
        with psycopg.connect(embedded.postgres.dsn_for(environment["DB_NAME"])) as connection:
            show(connection, "Accounts", ACCOUNTS)
            show(connection, "Cost by customer", COSTS)
            show(connection, "Open findings by account", FINDINGS)
    print(f"\ndone in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    command(main)
