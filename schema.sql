-- One SQL database over all AWS accounts: what sender.py collects and receiver.py loads.
--
-- Apply it with `receiver.py --init-schema` (or psql). It may be applied again at any time, also
-- over an older version: nothing here drops, renames or rewrites what exists.
-- PostgreSQL 14 or later. What tables, views and columns mean is told by describe(), under each, and
-- is in the database as COMMENT ON them.
--
-- Conventions
--   accounts        one row per account AND region; every other table hangs on it
--   <table>_key     the natural key of a table, always a unique index of this name, in which no
--                   value counts as an empty text. The receiver reads columns, types and keys from
--                   the catalogue; they are stated only here
--   <table>_alive   what still exists: gone rows are kept, and must not make loading slower
--   document_id     lineage: the document (S3 bucket, key, ETag) that the row last came from
--   gone_at         snapshot tables: since when AWS no longer lists the thing; NULL = it exists
--   created_at      when the row was first loaded, unless the comment says AWS's own time
--   text TEXT, instants TIMESTAMPTZ, days DATE, money and other decimals NUMERIC
--   periods are half open: date_to / period_end is the first day after the period
--
-- Map
--   lineage         documents, listings
--   account         accounts, contact_info, alternate_contacts, products, product_accounts
--   money           cost_reports > service_costs, cost_forecasts · services ·
--                   ri_sp_daily_savings · marketplace_usage
--   security        security > findings · guard_duty_findings, kms_keys, waf_rules,
--                   waf_rules_detailed, cloudtrail_logs, secrets_manager_secrets, certificates,
--                   inspector_findings
--   compliance      config_reports > non_compliant_resources
--   inventory       inventory_instances > inventory_applications, inventory_patches
--   operations      trusted_advisor_checks, health_events, application_signals,
--                   resilience_hub_apps, compute_optimizer, support_tickets
--   resources       service_resources, config_inventory
--   audit           logs > log_messages

-- describe: COMMENT ON a table or view and all its columns in one statement, as the Data API takes
-- one statement per call and some 20 ms for it. The text says what a row is and, after an empty
-- line, what each column means: a line that begins with its name and may go on in indented lines.
-- What columns of one name mean everywhere stands here.
CREATE OR REPLACE FUNCTION describe(relation TEXT, described TEXT)
RETURNS INTEGER LANGUAGE plpgsql AS '
DECLARE
    kind TEXT := (SELECT CASE relkind WHEN ''v'' THEN ''VIEW'' ELSE ''TABLE'' END
                  FROM pg_class WHERE oid = CAST(relation AS regclass));
    paragraphs TEXT[] := string_to_array(trim(E''\n'' FROM described), E''\n\n'');
    named RECORD;
    columns INTEGER := 0;
BEGIN
    EXECUTE format(''COMMENT ON %s %I IS %L'', kind, relation,
                   regexp_replace(paragraphs[1], ''\s+'', '' '', ''g''));
    FOR named IN
        SELECT c.column_name, c.meaning
        FROM (VALUES
            (''TABLE'', ''id'', ''number of the row in this database, of no other meaning''),
            (''TABLE'', ''account_id'', ''accounts.id of the account and region it belongs to''),
            (''TABLE'', ''created_at'', ''when a load first saw it''),
            (''TABLE'', ''updated_at'', ''when a load last changed it''),
            (''TABLE'', ''gone_at'', ''since when AWS no longer lists it; NULL: it exists''),
            (''TABLE'', ''document_id'', ''documents.id of the document it last came from''),
            (''VIEW'', ''account_id'', ''the 12-digit account number, as text''),
            (''VIEW'', ''account_name'', ''name of the account, as its newest document has it''),
            (''VIEW'', ''customer_name'', ''customer of the account, likewise''),
            (''VIEW'', ''region'', ''region that the row is about''),
            (''VIEW'', ''currency'', ''currency of the amounts, such as USD'')
        ) AS c (described_as, column_name, meaning)
        JOIN pg_attribute a ON a.attname = c.column_name AND NOT a.attisdropped
         AND a.attrelid = CAST(relation AS regclass)
        WHERE c.described_as = kind
        UNION ALL
        SELECT line[1], regexp_replace(line[2], ''\s+'', '' '', ''g'')
        FROM regexp_matches(paragraphs[2], ''^(\w+) +(.*(?:\n +.*)*)$'', ''gn'') AS line
    LOOP
        EXECUTE format(''COMMENT ON COLUMN %I.%I IS %L'',
                       relation, named.column_name, named.meaning);
        columns := columns + 1;
    END LOOP;
    RETURN columns;
END';

CREATE TABLE IF NOT EXISTS accounts (
    id                SERIAL PRIMARY KEY,
    account_id        VARCHAR(12) NOT NULL,
    account_name      TEXT,
    account_email     TEXT,
    account_status    TEXT,
    account_arn       TEXT,
    partner_name      TEXT,
    customer_name     TEXT,
    joined_method     TEXT,
    joined_timestamp  TIMESTAMPTZ,
    account_type      TEXT,
    csp               TEXT NOT NULL DEFAULT 'AWS',
    region            TEXT NOT NULL,
    category          TEXT,
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS accounts_key ON accounts (account_id, region);

CREATE TABLE IF NOT EXISTS documents (
    id             SERIAL PRIMARY KEY,
    account_id     INTEGER NOT NULL REFERENCES accounts (id),
    bucket         TEXT NOT NULL,
    key            TEXT NOT NULL,
    etag           TEXT NOT NULL,
    size_bytes     BIGINT NOT NULL,
    last_modified  TIMESTAMPTZ NOT NULL,
    format         INTEGER,
    sender         TEXT,
    interval       TEXT NOT NULL,
    period_start   DATE NOT NULL,
    period_end     DATE NOT NULL,
    collected_at   TIMESTAMPTZ NOT NULL,
    day_order      TEXT COLLATE "C" NOT NULL,
    time_order     TEXT COLLATE "C" NOT NULL,
    counters       JSONB,
    created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    loaded_at      TIMESTAMPTZ,
    loaded_by      TEXT
);
ALTER TABLE documents ADD COLUMN IF NOT EXISTS loaded_by TEXT;
CREATE UNIQUE INDEX IF NOT EXISTS documents_key ON documents (account_id, bucket, key, etag);
CREATE INDEX IF NOT EXISTS documents_latest ON documents (account_id, period_end DESC, collected_at DESC);
SELECT describe('documents', '
Each S3 object that was loaded, with what loading it did. The two orders say which of two
documents is the newer: by the day it speaks about, and by the time it was collected

bucket         S3 bucket of the object
key            S3 key under data/ that was read; the object is now under loaded/
etag           S3 entity tag: which version of the object it was
size_bytes     size of the object in bytes
last_modified  when the object was uploaded (S3: LastModified)
format         version of the document format (meta.format); NULL for other producers
sender         what collected it (meta.sender); NULL for other producers
interval       DAILY, WEEKLY or MONTHLY, as in the key
period_start   first day that the document covers
period_end     first day after those that the document covers
collected_at   when it was collected; for other producers, when it was uploaded
day_order      sorts documents by the day they speak about, then by the time of collecting
time_order     sorts documents by the time of collecting
counters       rows CREATED, UPDATED, SKIPPED and TOTAL per table
created_at     when loading began
loaded_at      when loading ended
loaded_by      version of the receiver that loaded it
');

ALTER TABLE accounts ADD COLUMN IF NOT EXISTS document_id INTEGER REFERENCES documents (id);
SELECT describe('accounts', '
An AWS account in a region, and the customer, partner and category it is tagged with

account_id        the 12-digit account number, as text
account_name      name of the account (Account: AccountName; else Organizations: Name)
account_email     email address of the root user (Organizations: Email)
account_status    state of the account, such as ACTIVE or SUSPENDED (AccountState; else State)
account_arn       ARN by which the organization knows the account, else that of its root user
partner_name      the partner, as set for the sender
customer_name     the customer, as set for the sender
joined_method     INVITED or CREATED (Organizations: JoinedMethod)
joined_timestamp  when the account joined the organization, else when it was created
account_type      what the account is for, such as production, as set for the sender (ENVIRONMENT)
csp               the cloud provider: AWS
region            the region that the rows of this account are about
category          the category, as set for the sender
updated_at        when a load last changed the row
');

CREATE TABLE IF NOT EXISTS listings (
    id            SERIAL PRIMARY KEY,
    account_id    INTEGER NOT NULL REFERENCES accounts (id),
    table_name    TEXT NOT NULL,
    scope         TEXT NOT NULL,
    sort_key      TEXT COLLATE "C" NOT NULL,
    document_id   INTEGER NOT NULL REFERENCES documents (id),
    collected_at  TIMESTAMPTZ NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS listings_key ON listings (account_id, table_name, scope, sort_key);
SELECT describe('listings', '
Which document stated the whole of a table (scope is empty) or of one period of it. Only such a
statement may say that something is gone, and the newest one decides

table_name    the table that was stated
scope         the period or parent row that was stated, as JSON; empty: all rows of the account
sort_key      day_order or time_order of the document: which statement is the newer
document_id   documents.id of the document that stated it
collected_at  when that document was collected
');

CREATE TABLE IF NOT EXISTS contact_info (
    id               SERIAL PRIMARY KEY,
    account_id       INTEGER NOT NULL REFERENCES accounts (id),
    address_line1    TEXT,
    address_line2    TEXT,
    address_line3    TEXT,
    city             TEXT,
    country_code     TEXT,
    postal_code      TEXT,
    state_or_region  TEXT,
    company_name     TEXT,
    phone_number     TEXT,
    website_url      TEXT,
    full_name        TEXT,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at          TIMESTAMPTZ,
    document_id      INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS contact_info_key ON contact_info (account_id);
SELECT describe('contact_info', '
Whom AWS would write to about the account (Account: GetContactInformation)

address_line1    first line of the address (AddressLine1)
address_line2    second line of the address (AddressLine2)
address_line3    third line of the address (AddressLine3)
city             city (City)
country_code     country, two letters of ISO 3166 (CountryCode)
postal_code      postal code (PostalCode)
state_or_region  state or region (StateOrRegion)
company_name     company (CompanyName)
phone_number     phone number (PhoneNumber)
website_url      website (WebsiteUrl)
full_name        full name of the contact (FullName)
');

CREATE TABLE IF NOT EXISTS alternate_contacts (
    id            SERIAL PRIMARY KEY,
    account_id    INTEGER NOT NULL REFERENCES accounts (id),
    contact_type  TEXT NOT NULL,
    full_name     TEXT,
    title         TEXT,
    email         TEXT,
    phone_number  TEXT,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at       TIMESTAMPTZ,
    document_id   INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS alternate_contacts_key ON alternate_contacts (account_id, contact_type);
SELECT describe('alternate_contacts', '
The billing, operations and security contacts, where they are set (Account: GetAlternateContact)

contact_type  billing, operations or security (AlternateContactType)
full_name     name of the contact (Name)
title         title of the contact (Title)
email         email address (EmailAddress)
phone_number  phone number (PhoneNumber)
');

CREATE TABLE IF NOT EXISTS products (
    id           SERIAL PRIMARY KEY,
    name         TEXT NOT NULL,
    owner        TEXT NOT NULL DEFAULT 'System',
    position     INTEGER NOT NULL DEFAULT 0,
    description  TEXT NOT NULL DEFAULT '',
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS products_key ON products (lower(name));
SELECT describe('products', '
What the accounts are run for, one row per name whatever its case, shared by all accounts.
position and description are for people to edit; the receiver never changes them

name         name of the product, as set for the sender (PRODUCT)
owner        who owns the product; System until people change it
position     place in a list, for people to set
description  what the product is, for people to write
');

CREATE TABLE IF NOT EXISTS product_accounts (
    id           SERIAL PRIMARY KEY,
    product_id   INTEGER NOT NULL REFERENCES products (id),
    account_id   INTEGER NOT NULL REFERENCES accounts (id),
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at      TIMESTAMPTZ,
    document_id  INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS product_accounts_key ON product_accounts (account_id, product_id);
CREATE INDEX IF NOT EXISTS product_accounts_product ON product_accounts (product_id);
SELECT describe('product_accounts', '
Which account serves which product

product_id  products.id of the product
');

DO 'BEGIN
    CREATE TYPE period_granularity_type AS ENUM (''MONTHLY'', ''WEEKLY'', ''DAILY'');
EXCEPTION WHEN duplicate_object THEN NULL;
END';
CREATE TABLE IF NOT EXISTS cost_reports (
    id                          SERIAL PRIMARY KEY,
    account_id                  INTEGER NOT NULL REFERENCES accounts (id),
    current_period_cost         NUMERIC,
    previous_period_cost        NUMERIC,
    cost_difference             NUMERIC,
    cost_difference_percentage  NUMERIC,
    potential_monthly_savings   NUMERIC,
    anomalies_detected          INTEGER,
    saving_opportunities_count  INTEGER,
    period_start                DATE NOT NULL,
    period_end                  DATE,
    period_granularity          period_granularity_type NOT NULL,
    region                      TEXT NOT NULL DEFAULT 'Global',
    savings_document_id         INTEGER REFERENCES documents (id),
    anomalies_document_id       INTEGER REFERENCES documents (id),
    created_at                  TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id                 INTEGER REFERENCES documents (id)
);
ALTER TABLE cost_reports
    ADD COLUMN IF NOT EXISTS anomalies_document_id INTEGER REFERENCES documents (id);
CREATE UNIQUE INDEX IF NOT EXISTS cost_reports_key
    ON cost_reports (account_id, period_start, period_granularity, region);
SELECT describe('cost_reports', '
What an account cost in a day, week or month, beside the period before it (Cost Explorer:
GetCostAndUsage)

current_period_cost         unblended cost of the period
previous_period_cost        unblended cost of the period before
cost_difference             current less previous
cost_difference_percentage  the difference in percent of the previous cost; NULL if that was 0
potential_monthly_savings   what could be saved a month, overlaps removed, in US dollars (Cost
                            Optimization Hub: estimatedTotalDedupedSavings)
anomalies_detected          anomalies that touch the day (Cost Anomaly Detection: GetAnomalies)
saving_opportunities_count  recommendations (Cost Optimization Hub: recommendationCount)
period_start                first day of the period
period_end                  first day after the period
period_granularity          DAILY, WEEKLY or MONTHLY
region                      Global: costs belong to no region
savings_document_id         documents.id of the document that said what could be saved
anomalies_document_id       documents.id of the last document that could read anomalies
');

CREATE TABLE IF NOT EXISTS service_costs (
    id              SERIAL PRIMARY KEY,
    cost_report_id  INTEGER NOT NULL REFERENCES cost_reports (id),
    service_name    TEXT NOT NULL,
    cost            NUMERIC,
    region          TEXT NOT NULL DEFAULT 'Global',
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id     INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS service_costs_key ON service_costs (cost_report_id, service_name, region);
SELECT describe('service_costs', '
The services that a cost report is made of

cost_report_id  cost_reports.id of the report
service_name    service, as Cost Explorer names it (SERVICE)
cost            unblended cost of the service in the period of the report
region          Global: costs belong to no region
');

CREATE TABLE IF NOT EXISTS cost_forecasts (
    id                               SERIAL PRIMARY KEY,
    cost_report_id                   INTEGER NOT NULL REFERENCES cost_reports (id),
    period_start                     DATE NOT NULL,
    period_end                       DATE,
    amount                           NUMERIC,
    prediction_interval_lower_bound  NUMERIC,
    prediction_interval_upper_bound  NUMERIC,
    region                           TEXT NOT NULL DEFAULT 'Global',
    created_at                       TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id                      INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS cost_forecasts_key ON cost_forecasts (cost_report_id, period_start, region);
SELECT describe('cost_forecasts', '
What AWS expected, seen from that report, with the bounds of its interval (Cost Explorer:
GetCostForecast)

cost_report_id                   cost_reports.id of the report
period_start                     first day of the forecast period
period_end                       first day after the forecast period
amount                           expected unblended cost (MeanValue)
prediction_interval_lower_bound  lower bound of what it may be (PredictionIntervalLowerBound)
prediction_interval_upper_bound  upper bound of what it may be (PredictionIntervalUpperBound)
region                           Global: costs belong to no region
');

CREATE TABLE IF NOT EXISTS services (
    id                SERIAL PRIMARY KEY,
    account_id        INTEGER NOT NULL REFERENCES accounts (id),
    service           TEXT NOT NULL,
    date_from         DATE NOT NULL,
    date_to           DATE,
    cost              NUMERIC(20, 10),
    currency          TEXT,
    utilization       NUMERIC,
    utilization_unit  TEXT,
    usage_types       TEXT,
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id       INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS services_key
    ON services (account_id, date_from, service, (coalesce(usage_types, '')));
SELECT describe('services', '
Cost and used quantity per service, usage type and day (Cost Explorer: GetCostAndUsage)

service           service, as Cost Explorer names it (SERVICE)
date_from         the day, or the first day of a longer period
date_to           first day after the period
cost              unblended cost (UnblendedCost)
currency          currency of the cost, such as USD (Unit)
utilization       used quantity (UsageQuantity)
utilization_unit  unit of the used quantity, such as Hrs
usage_types       usage type, such as BoxUsage:t3.micro (USAGE_TYPE)
');

CREATE TABLE IF NOT EXISTS ri_sp_daily_savings (
    id                      SERIAL PRIMARY KEY,
    account_id              INTEGER NOT NULL REFERENCES accounts (id),
    date_from               DATE NOT NULL,
    date_to                 DATE NOT NULL,
    reservation_type        TEXT NOT NULL,
    subscription_id         TEXT NOT NULL,
    offering_id             TEXT,
    savings_plan_arn        TEXT,
    service                 TEXT,
    instance_type           TEXT,
    instance_count          INTEGER,
    instance_family         TEXT,
    instance_tenancy        TEXT,
    offering_class          TEXT,
    product_types           TEXT,
    region                  TEXT,
    utilization_percentage  NUMERIC,
    on_demand_cost          NUMERIC,
    reservation_cost        NUMERIC,
    net_savings             NUMERIC,
    commitment              NUMERIC,
    upfront_cost            NUMERIC,
    recurring_cost          NUMERIC,
    recurring_frequency     TEXT,
    usage_price             NUMERIC,
    currency                TEXT,
    start_date              TIMESTAMPTZ,
    end_date                TIMESTAMPTZ,
    returnable_until        TIMESTAMPTZ,
    duration_seconds        BIGINT,
    offering_type           TEXT,
    state                   TEXT,
    description             TEXT,
    created_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id             INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS ri_sp_daily_savings_key
    ON ri_sp_daily_savings (account_id, date_to, reservation_type, subscription_id);
SELECT describe('ri_sp_daily_savings', '
What a reservation or savings plan was used for, cost and saved on a day (Cost Explorer:
GetReservationUtilization, GetSavingsPlansUtilization), with what was bought

date_from               the day
date_to                 the day after
reservation_type        a reservation (of EC2 or RDS, see service) or a savings plan
subscription_id         number that Cost Explorer gives a reservation, or the id of a plan
offering_id             offering that was bought
savings_plan_arn        ARN of the savings plan
service                 service of the reservation, as Cost Explorer names it
instance_type           instance type or class of the reservation
instance_count          instances that were reserved
instance_family         family of the instance type, such as m6i
instance_tenancy        tenancy of the reserved instances
offering_class          class of a reservation (standard, convertible), or type of a plan
product_types           what a plan covers, comma-separated
region                  region of the reservation or plan
utilization_percentage  used share of what was bought, in percent
on_demand_cost          what the usage that it covered would have cost on demand
reservation_cost        what it cost itself that day, upfront payment included (amortized)
net_savings             on_demand_cost less reservation_cost
commitment              hourly commitment of a plan
upfront_cost            upfront payment, of one instance or of the plan
recurring_cost          recurring payment, of one instance or of the plan
recurring_frequency     how often the recurring payment is due, such as Hourly
usage_price             price per hour of use, of one instance
currency                currency of the purchase
start_date              when it began
end_date                when it ends
returnable_until        until when a plan may be returned
duration_seconds        term in seconds
offering_type           payment option, such as No Upfront
state                   state of the purchase, such as active
description             what AWS calls it
');

CREATE TABLE IF NOT EXISTS security (
    id                   SERIAL PRIMARY KEY,
    account_id           INTEGER NOT NULL REFERENCES accounts (id),
    service              TEXT NOT NULL,
    total_findings       INTEGER NOT NULL DEFAULT 0,
    critical_count       INTEGER NOT NULL DEFAULT 0,
    high_count           INTEGER NOT NULL DEFAULT 0,
    medium_count         INTEGER NOT NULL DEFAULT 0,
    low_count            INTEGER NOT NULL DEFAULT 0,
    informational_count  INTEGER NOT NULL DEFAULT 0,
    open_findings        INTEGER NOT NULL DEFAULT 0,
    resolved_findings    INTEGER NOT NULL DEFAULT 0,
    created_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id          INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS security_key ON security (account_id, service);
SELECT describe('security', '
How many findings an account has per product, counted from findings after each load

service              product or group that the findings are of
total_findings       all findings
critical_count       findings of severity CRITICAL
high_count           findings of severity HIGH
medium_count         findings of severity MEDIUM
low_count            findings of severity LOW
informational_count  findings of severity INFORMATIONAL
open_findings        findings that are active and neither resolved nor suppressed
resolved_findings    findings that are resolved or archived
');

CREATE TABLE IF NOT EXISTS findings (
    id                 SERIAL PRIMARY KEY,
    account_id         INTEGER NOT NULL REFERENCES accounts (id),
    security_id        INTEGER REFERENCES security (id),
    finding_id         TEXT NOT NULL,
    service            TEXT,
    title              TEXT,
    description        TEXT,
    severity           TEXT,
    status             TEXT,
    resource_type      TEXT,
    resource_id        TEXT,
    created_at         TIMESTAMPTZ,
    updated_at         TIMESTAMPTZ,
    recommendation     TEXT,
    compliance_status  TEXT,
    region             TEXT,
    workflow_state     TEXT,
    record_state       TEXT,
    product_name       TEXT,
    company_name       TEXT,
    product_arn        TEXT,
    generator_id       TEXT,
    generator          TEXT,
    document_id        INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS findings_key ON findings (account_id, finding_id);
CREATE INDEX IF NOT EXISTS findings_security ON findings (security_id);
SELECT describe('findings', '
Security Hub findings in the AWS Security Finding Format (GetFindings)

security_id        security.id of the group that the finding is counted in
finding_id         identifier that the provider gave (Id)
service            product, or group, of the finding
title              title (Title)
description        description (Description)
severity           CRITICAL, HIGH, MEDIUM, LOW or INFORMATIONAL (Severity.Label)
status             NEW, NOTIFIED, RESOLVED or SUPPRESSED (Workflow.Status)
resource_type      type of the first resource (Resources.Type)
resource_id        identifier of the first resource (Resources.Id)
created_at         when the provider created the finding (CreatedAt)
updated_at         when the provider last updated the finding (UpdatedAt)
recommendation     what to do (Remediation.Recommendation.Text)
compliance_status  PASSED, WARNING, FAILED or NOT_AVAILABLE (Compliance.Status)
region             region of the finding (Region)
workflow_state     workflow state, the older form of the status (WorkflowState)
record_state       ACTIVE or ARCHIVED (RecordState)
product_name       product that found it (ProductName)
company_name       company of the product (CompanyName)
product_arn        ARN of the product (ProductArn)
generator_id       rule or detector that found it (GeneratorId)
generator          name of the generator (GeneratorDetails.Name), or its kind
');

CREATE TABLE IF NOT EXISTS guard_duty_findings (
    id             SERIAL PRIMARY KEY,
    account_id     INTEGER NOT NULL REFERENCES accounts (id),
    detector_id    TEXT,
    finding_id     TEXT NOT NULL,
    finding_type   TEXT,
    severity       NUMERIC,
    title          TEXT,
    description    TEXT,
    confidence     NUMERIC,
    region         TEXT,
    created_at     TIMESTAMPTZ,
    updated_at     TIMESTAMPTZ,
    resource_type  TEXT,
    archived       BOOLEAN,
    document_id    INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS guard_duty_findings_key ON guard_duty_findings (account_id, finding_id);
SELECT describe('guard_duty_findings', '
Threats seen by GuardDuty (GetFindings)

detector_id    detector of the account in the region
finding_id     identifier of the finding (Id)
finding_type   type, such as Recon:EC2/PortProbeUnprotectedPort (Type)
severity       severity from 1.0 to 10.0 (Severity)
title          title (Title)
description    description (Description)
confidence     confidence of GuardDuty (Confidence)
region         region of the finding (Region)
created_at     when GuardDuty created the finding (CreatedAt)
updated_at     when GuardDuty last updated the finding (UpdatedAt)
resource_type  type of the resource that is threatened (Resource.ResourceType)
archived       whether the finding is archived (Service.Archived)
');

CREATE TABLE IF NOT EXISTS kms_keys (
    id                    SERIAL PRIMARY KEY,
    account_id            INTEGER NOT NULL REFERENCES accounts (id),
    key_id                TEXT NOT NULL,
    arn                   TEXT,
    description           TEXT,
    key_usage             TEXT,
    key_state             TEXT,
    creation_date         TIMESTAMPTZ,
    enabled               BOOLEAN,
    key_rotation_enabled  BOOLEAN,
    key_manager           TEXT,
    key_spec              TEXT,
    origin                TEXT,
    multi_region          BOOLEAN,
    deletion_date         TIMESTAMPTZ,
    created_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at               TIMESTAMPTZ,
    document_id           INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS kms_keys_key ON kms_keys (account_id, key_id);
CREATE INDEX IF NOT EXISTS kms_keys_alive ON kms_keys (account_id) WHERE gone_at IS NULL;
SELECT describe('kms_keys', '
KMS keys (DescribeKey, GetKeyRotationStatus)

key_id                identifier of the key (KeyId)
arn                   ARN of the key (Arn)
description           description (Description)
key_usage             what the key is for, such as ENCRYPT_DECRYPT (KeyUsage)
key_state             state, such as Enabled or PendingDeletion (KeyState)
creation_date         when the key was created (CreationDate)
enabled               whether the key can be used (Enabled)
key_rotation_enabled  whether the key rotates by itself (KeyRotationEnabled); NULL where it cannot,
                      or AWS did not tell
key_manager           AWS or CUSTOMER (KeyManager)
key_spec              type of key material, such as SYMMETRIC_DEFAULT (KeySpec)
origin                source of the key material, such as AWS_KMS (Origin)
multi_region          whether it is a multi-Region key (MultiRegion)
deletion_date         when the key will be deleted (DeletionDate)
');

CREATE TABLE IF NOT EXISTS waf_rules (
    id                    SERIAL PRIMARY KEY,
    account_id            INTEGER NOT NULL REFERENCES accounts (id),
    name                  TEXT,
    waf_id                TEXT,
    arn                   TEXT NOT NULL,
    scope                 TEXT,
    description           TEXT,
    default_action        JSONB,
    rules_count           INTEGER,
    logging_enabled       BOOLEAN,
    geo_blocking_enabled  BOOLEAN,
    blocked_countries     TEXT,
    capacity              INTEGER,
    associated_resources  JSONB,
    created_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at               TIMESTAMPTZ,
    document_id           INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS waf_rules_key ON waf_rules (account_id, arn);
SELECT describe('waf_rules', '
Web ACLs (WAFv2: GetWebACL), what they do by default and what they protect

name                  name of the web ACL (Name)
waf_id                identifier (Id)
arn                   ARN (ARN)
scope                 REGIONAL or CLOUDFRONT
description           description (Description)
default_action        what becomes of requests that no rule decides, as AWS has it (DefaultAction)
rules_count           number of rules, those of Firewall Manager included
logging_enabled       whether requests are logged; NULL if that could not be read
geo_blocking_enabled  whether a rule blocks requests by country
blocked_countries     countries that are blocked by name, two letters each, as JSON
capacity              web ACL capacity units that are used (Capacity)
associated_resources  ARNs of what the web ACL protects; NULL if that could not be read
');

CREATE TABLE IF NOT EXISTS waf_rules_detailed (
    id                      SERIAL PRIMARY KEY,
    account_id              INTEGER NOT NULL REFERENCES accounts (id),
    web_acl_name            TEXT NOT NULL,
    rule_name               TEXT NOT NULL,
    priority                INTEGER,
    action                  TEXT,
    statement_type          TEXT,
    is_managed_rule         BOOLEAN,
    is_custom_rule          BOOLEAN,
    rate_limit              BIGINT,
    logging_enabled         BOOLEAN,
    geo_blocking            BOOLEAN,
    sql_injection           BOOLEAN,
    sample_request_enabled  BOOLEAN,
    cloudwatch_enabled      BOOLEAN,
    has_xss_protection      BOOLEAN,
    waf_version             TEXT,
    is_compliant            BOOLEAN,
    scope                   TEXT NOT NULL,
    created_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at                 TIMESTAMPTZ,
    document_id             INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS waf_rules_detailed_key
    ON waf_rules_detailed (account_id, scope, web_acl_name, rule_name);
CREATE INDEX IF NOT EXISTS waf_rules_detailed_alive ON waf_rules_detailed (account_id) WHERE gone_at IS NULL;
SELECT describe('waf_rules_detailed', '
Each rule of each web ACL, and what kind of protection it is (WAFv2: GetWebACL)

web_acl_name            name of the web ACL
rule_name               name of the rule (Name)
priority                order in which rules are evaluated, from the lowest (Priority)
action                  Block, Allow, Count, …; what overrides the rules of a group
statement_type          type of the outermost statement, such as RateBasedStatement
is_managed_rule         whether it uses a managed rule group
is_custom_rule          whether it uses none
rate_limit              requests per evaluation window that are let through (Limit)
logging_enabled         whether the requests of the web ACL are logged; NULL: not known
geo_blocking            whether it blocks by country
sql_injection           whether it looks for SQL injection
sample_request_enabled  whether requests are sampled (SampledRequestsEnabled)
cloudwatch_enabled      whether matches are counted (CloudWatchMetricsEnabled)
has_xss_protection      whether it looks for cross-site scripting
waf_version             version of AWS WAF
is_compliant            whether it can be watched: counted, sampled and logged; NULL: not known
scope                   REGIONAL or CLOUDFRONT
');

CREATE TABLE IF NOT EXISTS cloudtrail_logs (
    id                     SERIAL PRIMARY KEY,
    account_id             INTEGER NOT NULL REFERENCES accounts (id),
    name                   TEXT,
    arn                    TEXT NOT NULL,
    is_logging             BOOLEAN,
    is_multi_region        BOOLEAN,
    s3_bucket              TEXT,
    kms_key_id             TEXT,
    log_file_validation    BOOLEAN,
    latest_delivery_time   TIMESTAMPTZ,
    is_organization_trail  BOOLEAN,
    home_region            TEXT,
    latest_event_time      TIMESTAMPTZ,
    created_at             TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at                TIMESTAMPTZ,
    document_id            INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS cloudtrail_logs_key ON cloudtrail_logs (account_id, arn);
SELECT describe('cloudtrail_logs', '
Trails, whether they log, where to, and when they last delivered (CloudTrail: DescribeTrails,
GetTrailStatus)

name                   name of the trail (Name)
arn                    ARN (TrailARN)
is_logging             whether the trail logs now (IsLogging); NULL if that could not be read
is_multi_region        whether it logs all regions (IsMultiRegionTrail)
s3_bucket              bucket that it delivers to (S3BucketName)
kms_key_id             key that encrypts the logs (KmsKeyId)
log_file_validation    whether log files are signed (LogFileValidationEnabled)
latest_delivery_time   when it last delivered to the bucket (LatestDeliveryTime)
is_organization_trail  whether it is a trail of the organization (IsOrganizationTrail)
home_region            region that the trail was created in (HomeRegion)
latest_event_time      time of the newest event of the region, not of the trail (LookupEvents)
');

CREATE TABLE IF NOT EXISTS secrets_manager_secrets (
    id                  SERIAL PRIMARY KEY,
    account_id          INTEGER NOT NULL REFERENCES accounts (id),
    name                TEXT,
    arn                 TEXT NOT NULL,
    description         TEXT,
    created_date        TIMESTAMPTZ,
    last_changed_date   TIMESTAMPTZ,
    rotation_enabled    BOOLEAN,
    last_rotated_date   TIMESTAMPTZ,
    last_accessed_date  TIMESTAMPTZ,
    created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at             TIMESTAMPTZ,
    document_id         INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS secrets_manager_secrets_key ON secrets_manager_secrets (account_id, arn);
CREATE INDEX IF NOT EXISTS secrets_manager_secrets_alive ON secrets_manager_secrets (account_id) WHERE gone_at IS NULL;
SELECT describe('secrets_manager_secrets', '
Secrets by name (never their values) and whether they rotate (Secrets Manager: ListSecrets)

name                name of the secret (Name)
arn                 ARN (ARN)
description         description (Description)
created_date        when the secret was created (CreatedDate)
last_changed_date   when it last changed in any way (LastChangedDate)
rotation_enabled    whether it rotates by itself (RotationEnabled)
last_rotated_date   when it last rotated (LastRotatedDate)
last_accessed_date  the day on which it was last read (LastAccessedDate)
');

CREATE TABLE IF NOT EXISTS certificates (
    id                   SERIAL PRIMARY KEY,
    account_id           INTEGER NOT NULL REFERENCES accounts (id),
    arn                  TEXT NOT NULL,
    domain_name          TEXT,
    status               TEXT,
    type                 TEXT,
    not_after            TIMESTAMPTZ,
    not_before           TIMESTAMPTZ,
    key_algorithm        TEXT,
    in_use               BOOLEAN,
    renewal_eligibility  TEXT,
    created_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at              TIMESTAMPTZ,
    document_id          INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS certificates_key ON certificates (account_id, arn);
CREATE INDEX IF NOT EXISTS certificates_alive ON certificates (account_id) WHERE gone_at IS NULL;
SELECT describe('certificates', '
ACM certificates of every key type and when they expire (ListCertificates)

arn                  ARN (CertificateArn)
domain_name          domain that the certificate is for (DomainName)
status               state, such as ISSUED or EXPIRED (Status)
type                 AMAZON_ISSUED, IMPORTED or PRIVATE (Type)
not_after            until when it is valid (NotAfter)
not_before           from when it is valid (NotBefore)
key_algorithm        algorithm of the key, such as RSA_2048 (KeyAlgorithm)
in_use               whether an AWS resource uses it (InUse)
renewal_eligibility  ELIGIBLE if ACM renews it by itself (RenewalEligibility)
');

CREATE TABLE IF NOT EXISTS inspector_findings (
    id                 SERIAL PRIMARY KEY,
    account_id         INTEGER NOT NULL REFERENCES accounts (id),
    finding_arn        TEXT NOT NULL,
    severity           TEXT,
    status             TEXT,
    type               TEXT,
    title              TEXT,
    description        TEXT,
    first_observed_at  TIMESTAMPTZ,
    last_observed_at   TIMESTAMPTZ,
    resource_type      TEXT,
    resource_id        TEXT,
    vulnerability_id   TEXT,
    inspector_score    NUMERIC,
    fix_available      TEXT,
    exploit_available  TEXT,
    created_at         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at         TIMESTAMPTZ,
    document_id        INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS inspector_findings_key ON inspector_findings (account_id, finding_arn);
SELECT describe('inspector_findings', '
Vulnerabilities seen by Inspector (ListFindings)

finding_arn        ARN of the finding (findingArn)
severity           CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL or UNTRIAGED (severity)
status             ACTIVE, SUPPRESSED or CLOSED (status)
type               type, such as PACKAGE_VULNERABILITY (type)
title              title (title)
description        description (description)
first_observed_at  when it was first seen (firstObservedAt)
last_observed_at   when it was last seen (lastObservedAt)
resource_type      type of the first resource (resources.type)
resource_id        identifier of the first resource (resources.id)
vulnerability_id   the CVE, or another identifier (vulnerabilityId)
inspector_score    score from 0 to 10 that Inspector gives (inspectorScore)
fix_available      YES, NO or PARTIAL (fixAvailable)
exploit_available  YES or NO (exploitAvailable)
updated_at         when Inspector last updated the finding (updatedAt)
');

CREATE TABLE IF NOT EXISTS config_reports (
    id                   SERIAL PRIMARY KEY,
    account_id           INTEGER NOT NULL REFERENCES accounts (id),
    date_from            DATE NOT NULL,
    date_to              DATE,
    compliance_score     NUMERIC,
    total_rules          INTEGER,
    compliant_rules      INTEGER,
    non_compliant_rules  INTEGER,
    curr_non_compliant   INTEGER,
    curr_compliant       INTEGER,
    created_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id          INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS config_reports_key ON config_reports (account_id, date_from);
SELECT describe('config_reports', '
How many AWS Config rules were complied with on a day (DescribeComplianceByConfigRule)

date_from            the day
date_to              the day after
compliance_score     compliant rules in percent of those with a result
total_rules          number of rules
compliant_rules      rules that all resources comply with
non_compliant_rules  rules that a resource breaks
curr_non_compliant   resources that break a rule
curr_compliant       resources that comply with all their rules
');

CREATE TABLE IF NOT EXISTS non_compliant_resources (
    id                        SERIAL PRIMARY KEY,
    account_id                INTEGER NOT NULL REFERENCES accounts (id),
    config_report_id          INTEGER REFERENCES config_reports (id),
    resource_type             TEXT,
    resource_id               TEXT,
    compliance_type           TEXT,
    rule_name                 TEXT NOT NULL,
    annotation                TEXT,
    evaluation_mode           TEXT,
    conformance_pack          TEXT,
    status                    TEXT NOT NULL DEFAULT 'OPEN',
    config_rule_invoked_time  TIMESTAMPTZ,
    created_at                TIMESTAMPTZ,
    gone_at                   TIMESTAMPTZ,
    document_id               INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS non_compliant_resources_key
    ON non_compliant_resources (account_id, rule_name, (coalesce(resource_type, '')), (coalesce(resource_id, '')),
     (coalesce(evaluation_mode, '')));
CREATE INDEX IF NOT EXISTS non_compliant_resources_alive ON non_compliant_resources (account_id) WHERE gone_at IS NULL;
SELECT describe('non_compliant_resources', '
What breaks a rule (status OPEN), or did until gone_at (RESOLVED) (AWS Config:
GetComplianceDetailsByConfigRule)

config_report_id          config_reports.id of the report that last listed it
resource_type             type, such as AWS::S3::Bucket (ResourceType)
resource_id               identifier of the resource (ResourceId)
compliance_type           NON_COMPLIANT (ComplianceType)
rule_name                 name of the rule (ConfigRuleName)
annotation                why it does not comply (Annotation)
evaluation_mode           DETECTIVE or PROACTIVE (EvaluationMode)
conformance_pack          conformance pack that the rule came with
status                    OPEN while it breaks the rule, then RESOLVED
config_rule_invoked_time  when the rule was evaluated (ConfigRuleInvokedTime)
created_at                the same time
');

CREATE TABLE IF NOT EXISTS inventory_instances (
    id                          SERIAL PRIMARY KEY,
    account_id                  INTEGER NOT NULL REFERENCES accounts (id),
    instance_id                 TEXT NOT NULL,
    instance_type               TEXT,
    platform                    TEXT,
    ip_address                  TEXT,
    computer_name               TEXT,
    ping_status                 TEXT,
    last_ping_date_time         TIMESTAMPTZ,
    agent_version               TEXT,
    platform_type               TEXT,
    platform_version            TEXT,
    is_latest_version           BOOLEAN,
    association_status          TEXT,
    association_execution_date  TIMESTAMPTZ,
    association_success_date    TIMESTAMPTZ,
    created_at                  TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at                     TIMESTAMPTZ,
    document_id                 INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS inventory_instances_key ON inventory_instances (account_id, instance_id);
CREATE INDEX IF NOT EXISTS inventory_instances_alive ON inventory_instances (account_id) WHERE gone_at IS NULL;
SELECT describe('inventory_instances', '
Machines that Systems Manager manages (DescribeInstanceInformation)

instance_id                 identifier of the machine, such as i-… (InstanceId)
instance_type               EC2 instance type
platform                    operating system (PlatformName)
ip_address                  IP address (IPAddress)
computer_name               host name (ComputerName)
ping_status                 Online, ConnectionLost or Inactive (PingStatus)
last_ping_date_time         when the agent last answered (LastPingDateTime)
agent_version               version of the SSM agent (AgentVersion)
platform_type               Linux, Windows or MacOS (PlatformType)
platform_version            version of the operating system (PlatformVersion)
is_latest_version           whether the agent is the newest one (IsLatestVersion)
association_status          state of the associations (AssociationStatus)
association_execution_date  when they last ran (LastAssociationExecutionDate)
association_success_date    when they last succeeded (LastSuccessfulAssociationExecutionDate)
');

CREATE TABLE IF NOT EXISTS inventory_applications (
    id                SERIAL PRIMARY KEY,
    account_id        INTEGER NOT NULL REFERENCES accounts (id),
    instance_id       INTEGER NOT NULL REFERENCES inventory_instances (id),
    name              TEXT NOT NULL,
    version           TEXT,
    publisher         TEXT,
    architecture      TEXT,
    application_type  TEXT,
    install_time      TIMESTAMPTZ,
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id       INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS inventory_applications_key
    ON inventory_applications (account_id, instance_id, name, (coalesce(version, '')), (coalesce(architecture, '')));
CREATE INDEX IF NOT EXISTS inventory_applications_instance ON inventory_applications (instance_id);
SELECT describe('inventory_applications', '
What is installed on a managed machine (Systems Manager: GetInventory, AWS:Application)

instance_id       inventory_instances.id of the machine
name              name of the package (Name)
version           version (Version)
publisher         publisher (Publisher)
architecture      architecture, such as x86_64 (Architecture)
application_type  group of the package (ApplicationType)
install_time      when it was installed (InstalledTime)
');

CREATE TABLE IF NOT EXISTS inventory_patches (
    id              SERIAL PRIMARY KEY,
    account_id      INTEGER NOT NULL REFERENCES accounts (id),
    instance_id     INTEGER NOT NULL REFERENCES inventory_instances (id),
    title           TEXT NOT NULL,
    classification  TEXT,
    severity        TEXT,
    state           TEXT,
    installed_time  TIMESTAMPTZ,
    kb_id           TEXT,
    cve_ids         TEXT,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id     INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS inventory_patches_key ON inventory_patches (account_id, instance_id, title);
CREATE INDEX IF NOT EXISTS inventory_patches_instance ON inventory_patches (instance_id);
SELECT describe('inventory_patches', '
Patches of a managed machine and their state there (Systems Manager: DescribeInstancePatches)

instance_id     inventory_instances.id of the machine
title           title of the patch (Title)
classification  classification, such as Security (Classification)
severity        severity, in the words of the vendor (Severity)
state           state, such as Installed, Missing or Failed (State)
installed_time  when it was installed (InstalledTime)
kb_id           identifier of the patch (KBId)
cve_ids         vulnerabilities that it removes (CVEIds)
');

CREATE TABLE IF NOT EXISTS marketplace_usage (
    id             SERIAL PRIMARY KEY,
    account_id     INTEGER NOT NULL REFERENCES accounts (id),
    product_code   TEXT NOT NULL,
    product_name   TEXT,
    cost_consumed  NUMERIC,
    currency       TEXT,
    period_start   DATE NOT NULL,
    period_end     DATE,
    status         TEXT,
    created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id    INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS marketplace_usage_key
    ON marketplace_usage (account_id, period_start, product_code);
SELECT describe('marketplace_usage', '
AWS Marketplace products that the account is entitled to or paid for

product_code   product identifier (ProductSKU)
product_name   name of the product (ProductName)
cost_consumed  unblended cost of the product in the period (Cost Explorer)
currency       currency of the cost
period_start   the day
period_end     the day after
status         ACTIVE or EXPIRED by entitlement, else the state of the license
');

CREATE TABLE IF NOT EXISTS trusted_advisor_checks (
    id                        SERIAL PRIMARY KEY,
    account_id                INTEGER NOT NULL REFERENCES accounts (id),
    check_name                TEXT NOT NULL,
    category                  TEXT NOT NULL,
    severity                  TEXT,
    recommendation            TEXT,
    affected_resources_count  INTEGER,
    potential_savings         NUMERIC,
    timestamp                 TIMESTAMPTZ,
    check_id                  TEXT,
    created_at                TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at                   TIMESTAMPTZ,
    document_id               INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS trusted_advisor_checks_key
    ON trusted_advisor_checks (account_id, category, check_name);
SELECT describe('trusted_advisor_checks', '
Checks in warning or error, with what they would save (Support:
DescribeTrustedAdvisorCheckResult)

check_name                name of the check (name)
category                  category, such as cost_optimizing (category)
severity                  warning or error (status)
recommendation            what the check is about and recommends, as HTML (description)
affected_resources_count  resources that are flagged (resourcesFlagged)
potential_savings         estimated savings in US dollars a month, of checks about costs
                          (estimatedMonthlySavings)
timestamp                 when the check was last refreshed (timestamp)
check_id                  identifier of the check (id)
');

CREATE TABLE IF NOT EXISTS health_events (
    id                   SERIAL PRIMARY KEY,
    account_id           INTEGER NOT NULL REFERENCES accounts (id),
    arn                  TEXT NOT NULL,
    service              TEXT,
    event_type_code      TEXT,
    region               TEXT,
    start_time           TIMESTAMPTZ,
    end_time             TIMESTAMPTZ,
    status_code          TEXT,
    event_type_category  TEXT,
    event_scope_code     TEXT,
    last_updated_time    TIMESTAMPTZ,
    created_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id          INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS health_events_key ON health_events (account_id, arn);
SELECT describe('health_events', '
AWS Health events that touch the account (DescribeEvents)

arn                  ARN of the event (arn)
service              service that it is about (service)
event_type_code      type, such as AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED (eventTypeCode)
region               region that it is about (region)
start_time           when it begins or began (startTime)
end_time             when it ends or ended (endTime)
status_code          open, closed or upcoming (statusCode)
event_type_category  issue, accountNotification, scheduledChange or investigation
                     (eventTypeCategory)
event_scope_code     PUBLIC, ACCOUNT_SPECIFIC or NONE (eventScopeCode)
last_updated_time    when AWS last updated the event (lastUpdatedTime)
');

CREATE TABLE IF NOT EXISTS application_signals (
    id              SERIAL PRIMARY KEY,
    account_id      INTEGER NOT NULL REFERENCES accounts (id),
    service_name    TEXT,
    namespace       TEXT,
    key_attributes  JSONB NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at         TIMESTAMPTZ,
    document_id     INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS application_signals_key ON application_signals (account_id, key_attributes);
SELECT describe('application_signals', '
Services that Application Signals has seen (ListServices)

service_name    name of the service (KeyAttributes.Name)
namespace       CloudWatch namespace of its metrics
key_attributes  what identifies the service (KeyAttributes)
');

CREATE TABLE IF NOT EXISTS resilience_hub_apps (
    id                    SERIAL PRIMARY KEY,
    account_id            INTEGER NOT NULL REFERENCES accounts (id),
    app_arn               TEXT NOT NULL,
    name                  TEXT,
    compliance_status     TEXT,
    resiliency_score      NUMERIC,
    status                TEXT,
    cost                  NUMERIC,
    description           TEXT,
    creation_time         TIMESTAMPTZ,
    last_assessment_time  TIMESTAMPTZ,
    rpo                   BIGINT,
    rto                   BIGINT,
    last_drill            TIMESTAMPTZ,
    created_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at               TIMESTAMPTZ,
    document_id           INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS resilience_hub_apps_key ON resilience_hub_apps (account_id, app_arn);
SELECT describe('resilience_hub_apps', '
Applications assessed by Resilience Hub (DescribeApp)

app_arn               ARN (appArn)
name                  name of the application (name)
compliance_status     whether it meets its policy (complianceStatus)
resiliency_score      score from 0 to 100 (resiliencyScore)
status                state of the application (status)
cost                  assessed cost a month
description           description (description)
creation_time         when it was created (creationTime)
last_assessment_time  when it was last assessed (lastAppComplianceEvaluationTime)
rpo                   recovery point objective in seconds, the strictest of its policy
rto                   recovery time objective in seconds, the strictest of its policy
last_drill            when recovery was last tested
');

CREATE TABLE IF NOT EXISTS compute_optimizer (
    id                              SERIAL PRIMARY KEY,
    account_id                      INTEGER NOT NULL REFERENCES accounts (id),
    resource_type                   TEXT,
    resource_arn                    TEXT NOT NULL,
    resource_name                   TEXT,
    finding                         TEXT,
    current_instance_type           TEXT,
    current_memory_size             INTEGER,
    current_volume_type             TEXT,
    current_volume_size             INTEGER,
    recommended_instance_type       TEXT,
    recommended_memory_size         INTEGER,
    recommended_volume_type         TEXT,
    recommended_volume_size         INTEGER,
    savings_opportunity_percentage  NUMERIC,
    estimated_monthly_savings_usd   NUMERIC,
    performance_risk                TEXT,
    cpu_utilization_max             NUMERIC,
    memory_utilization_avg          NUMERIC,
    migration_effort                TEXT,
    created_at                      TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at                         TIMESTAMPTZ,
    document_id                     INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS compute_optimizer_key ON compute_optimizer (account_id, resource_arn);
CREATE INDEX IF NOT EXISTS compute_optimizer_alive ON compute_optimizer (account_id) WHERE gone_at IS NULL;
SELECT describe('compute_optimizer', '
What Compute Optimizer would change of instances, volumes and functions

resource_type                   type of the resource
resource_arn                    ARN of the resource
resource_name                   name of the resource
finding                         verdict, such as Overprovisioned (finding)
current_instance_type           EC2 instance type now
current_memory_size             memory of a function now, in MiB
current_volume_type             type of a volume now
current_volume_size             size of a volume now, in GiB
recommended_instance_type       EC2 instance type that is recommended
recommended_memory_size         memory of a function that is recommended, in MiB
recommended_volume_type         type of a volume that is recommended
recommended_volume_size         size of a volume that is recommended, in GiB
savings_opportunity_percentage  what would be saved, in percent (savingsOpportunityPercentage)
estimated_monthly_savings_usd   what would be saved a month, in US dollars
performance_risk                risk that the current resource is too small
cpu_utilization_max             highest CPU utilization in percent
memory_utilization_avg          average memory utilization in percent
migration_effort                effort of the change: VeryLow, Low, Medium or High
');

CREATE TABLE IF NOT EXISTS service_resources (
    id                  SERIAL PRIMARY KEY,
    account_id          INTEGER NOT NULL REFERENCES accounts (id),
    service_name        TEXT NOT NULL,
    resource_type       TEXT NOT NULL,
    resource_id         TEXT NOT NULL,
    resource_name       TEXT,
    region              TEXT,
    availability_zone   TEXT,
    state               TEXT,
    instance_type       TEXT,
    vpc_id              TEXT,
    engine              TEXT,
    instance_class      TEXT,
    multi_az            BOOLEAN,
    size_gb             NUMERIC,
    volume_type         TEXT,
    creation_date       TIMESTAMPTZ,
    type                TEXT,
    scheme              TEXT,
    instance_count      INTEGER,
    min_size            INTEGER,
    max_size            INTEGER,
    available_ip_count  INTEGER,
    created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at             TIMESTAMPTZ,
    document_id         INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS service_resources_key
    ON service_resources (account_id, service_name, resource_type, resource_id);
CREATE INDEX IF NOT EXISTS service_resources_alive ON service_resources (account_id) WHERE gone_at IS NULL;
SELECT describe('service_resources', '
The main resources of EC2, RDS, S3, ELB, Auto Scaling and Lambda

service_name        service, such as EC2
resource_type       type, such as Instance
resource_id         identifier within the account and region
resource_name       name, or value of the tag Name
region              region of the resource
availability_zone   availability zones, comma-separated
state               state, in the words of the service
instance_type       EC2 instance type
vpc_id              VPC that it is in
engine              database engine; runtime of a function
instance_class      DB instance class
multi_az            whether a database has a standby in another zone
size_gb             size in GiB
volume_type         type of volume or storage, such as gp3
creation_date       when it was created or, an instance, started
type                type of a load balancer; package type of a function
scheme              internet-facing or internal
instance_count      instances of a scaling group
min_size            smallest size of a scaling group
max_size            largest size of a scaling group
available_ip_count  free addresses of a subnet
');

CREATE TABLE IF NOT EXISTS config_inventory (
    id                  SERIAL PRIMARY KEY,
    account_id          INTEGER NOT NULL REFERENCES accounts (id),
    resource_type       TEXT NOT NULL,
    resource_subtype    TEXT,
    resource_id         TEXT NOT NULL,
    resource_name       TEXT,
    region              TEXT,
    availability_zone   TEXT,
    state               TEXT,
    instance_type       TEXT,
    vpc_id              TEXT,
    engine              TEXT,
    instance_class      TEXT,
    multi_az            BOOLEAN,
    size_gb             NUMERIC,
    volume_type         TEXT,
    creation_date       TIMESTAMPTZ,
    type                TEXT,
    scheme              TEXT,
    instance_count      INTEGER,
    min_size            INTEGER,
    max_size            INTEGER,
    available_ip_count  INTEGER,
    created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at             TIMESTAMPTZ,
    document_id         INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS config_inventory_key
    ON config_inventory (account_id, resource_type, resource_id, (coalesce(region, '')));
CREATE INDEX IF NOT EXISTS config_inventory_alive ON config_inventory (account_id) WHERE gone_at IS NULL;
SELECT describe('config_inventory', '
Every resource that AWS Config knows (SelectResourceConfig)

resource_type       type, such as AWS::EC2::Instance (resourceType)
resource_subtype    last part of the type, such as Instance
resource_id         identifier (resourceId)
resource_name       name (resourceName)
region              region of the resource, or global (awsRegion)
availability_zone   availability zone (availabilityZone)
state               state, in the words of the service
instance_type       EC2 instance type
vpc_id              VPC that it is in
engine              database engine; runtime of a function
instance_class      DB instance class
multi_az            whether a database has a standby in another zone
size_gb             size in GiB
volume_type         type of volume or storage, such as gp3
creation_date       when it was created (resourceCreationTime)
type                type, in the words of the service
scheme              internet-facing or internal
instance_count      instances that a scaling group aims at
min_size            smallest size of a scaling group
max_size            largest size of a scaling group
available_ip_count  free addresses of a subnet
');

CREATE TABLE IF NOT EXISTS support_tickets (
    id             SERIAL PRIMARY KEY,
    account_id     INTEGER NOT NULL REFERENCES accounts (id),
    case_id        TEXT NOT NULL,
    display_id     TEXT,
    subject        TEXT,
    status         TEXT,
    severity_code  TEXT,
    service_code   TEXT,
    category_code  TEXT,
    time_created   TIMESTAMPTZ,
    submitted_by   TEXT,
    language       TEXT,
    date_from      DATE,
    date_to        DATE,
    created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id    INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS support_tickets_key ON support_tickets (account_id, case_id);
SELECT describe('support_tickets', '
Support cases; what was written in them stays with AWS (Support: DescribeCases)

case_id        identifier of the case (caseId)
display_id     number of the case, as the console shows it (displayId)
subject        subject (subject)
status         state, such as opened or resolved (status)
severity_code  low, normal, high, urgent or critical (severityCode)
service_code   service that it is about (serviceCode)
category_code  category of the problem (categoryCode)
time_created   when the case was opened (timeCreated)
submitted_by   email address of who opened it (submittedBy)
language       language of the case (language)
date_from      first day of the period that the case was read for
date_to        first day after that period
');

CREATE TABLE IF NOT EXISTS logs (
    id                         SERIAL PRIMARY KEY,
    account_id                 INTEGER NOT NULL REFERENCES accounts (id),
    date_created               TIMESTAMPTZ NOT NULL,
    account_status             TEXT,
    cost_status                TEXT,
    service_status             TEXT,
    security_status            TEXT,
    config_status              TEXT,
    inventory_status           TEXT,
    marketplace_status         TEXT,
    trusted_advisor_status     TEXT,
    health_status              TEXT,
    application_status         TEXT,
    resilience_hub_status      TEXT,
    compute_optimizer_status   TEXT,
    service_resources_status   TEXT,
    config_inventory_status    TEXT,
    support_tickets_status     TEXT,
    logs_status                TEXT,
    created_at                 TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at                 TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id                INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS logs_key ON logs (account_id, date_created);
ALTER TABLE logs ADD COLUMN IF NOT EXISTS ri_sp_savings_status TEXT;
SELECT describe('logs', '
One row per document: what became of each category (Pass, Fail, Skipped)

date_created              when the log was written
account_status            what became of the account details
cost_status               what became of costs, forecast, anomalies and savings
service_status            what became of costs per usage type
security_status           what became of findings, keys, trails, secrets, certificates, web ACLs
config_status             what became of the compliance of AWS Config
inventory_status          what became of machines, applications and patches
marketplace_status        what became of AWS Marketplace products
trusted_advisor_status    what became of Trusted Advisor checks
health_status             what became of AWS Health events
application_status        what became of Application Signals
resilience_hub_status     what became of Resilience Hub
compute_optimizer_status  what became of Compute Optimizer
service_resources_status  what became of the main resources
config_inventory_status   what became of the resources of AWS Config
support_tickets_status    what became of support cases
logs_status               what became of this log
ri_sp_savings_status      what became of reservations and savings plans
');

CREATE TABLE IF NOT EXISTS log_messages (
    id            SERIAL PRIMARY KEY,
    log_id        INTEGER NOT NULL REFERENCES logs (id),
    position      INTEGER NOT NULL,
    message       TEXT,
    message_type  TEXT,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id   INTEGER REFERENCES documents (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS log_messages_key ON log_messages (log_id, position);
SELECT describe('log_messages', '
What a run told, in order

log_id        logs.id of the run
position      place in the log, from 0
message       text of the message
message_type  kind of message, such as INFO, SUCCESS, FAIL or ERROR
');

-- A document of a past day (backfill) cannot tell how things are: what exists only now is Skipped
-- there, as a service that is off is elsewhere, and of security it has only what carries dates. An
-- older day's is known by when it was collected; yesterday's, by not having asked for the account,
-- nor listed anything that exists now (the sender leaves those lists out). So only a document that
-- did (of_now) may be complete, or end a failure by a Skipped or by the Pass of security. The Pass
-- of any other category ends one in every document: that much was read. A Fail always counts.
CREATE OR REPLACE VIEW freshness AS
WITH told AS MATERIALIZED (
    SELECT r.*, d.collected_at, coalesce(r.account_status IN ('Pass', 'Fail'), false) OR EXISTS (
        SELECT FROM listings l
        WHERE l.account_id = d.account_id AND l.scope = '' AND l.sort_key = d.day_order
          AND l.table_name IN ('accounts', 'kms_keys', 'service_resources')) AS of_now
    FROM logs r
    JOIN documents d ON d.id = r.document_id
     AND d.collected_at < (d.period_end + 1)::timestamp AT TIME ZONE 'UTC'),
statuses AS (
    SELECT r.account_id, r.collected_at, r.of_now, s.category, s.status,
           CASE s.status WHEN 'Pass' THEN r.of_now OR s.category <> 'security'
                         WHEN 'Skipped' THEN r.of_now ELSE false END AS ends_failure
    FROM told r
    CROSS JOIN LATERAL (VALUES
        ('account', r.account_status),
        ('cost', r.cost_status),
        ('service', r.service_status),
        ('ri_sp_savings', r.ri_sp_savings_status),
        ('security', r.security_status),
        ('config', r.config_status),
        ('inventory', r.inventory_status),
        ('marketplace', r.marketplace_status),
        ('trusted_advisor', r.trusted_advisor_status),
        ('health', r.health_status),
        ('application', r.application_status),
        ('resilience_hub', r.resilience_hub_status),
        ('compute_optimizer', r.compute_optimizer_status),
        ('service_resources', r.service_resources_status),
        ('config_inventory', r.config_inventory_status),
        ('support_tickets', r.support_tickets_status)
    ) AS s (category, status)),
latest AS (
    SELECT account_id, max(collected_at) AS collected_at FROM told GROUP BY account_id),
complete AS (
    SELECT account_id, max(collected_at) AS collected_at
    FROM (SELECT account_id, collected_at FROM statuses
          GROUP BY account_id, collected_at
          HAVING bool_and(of_now AND status IN ('Pass', 'Skipped'))) whole
    GROUP BY account_id),
ended AS (
    SELECT account_id, category, max(collected_at) AS collected_at
    FROM statuses WHERE ends_failure GROUP BY account_id, category),
failing AS (
    SELECT s.account_id, s.category, min(s.collected_at) AS since
    FROM statuses s
    LEFT JOIN ended ON ended.account_id = s.account_id AND ended.category = s.category
    WHERE s.status = 'Fail' AND s.collected_at >= coalesce(ended.collected_at, '-infinity')
    GROUP BY s.account_id, s.category),
failures AS (
    SELECT account_id, jsonb_object_agg(category, since) AS since FROM failing GROUP BY account_id)
SELECT a.account_id, a.region, latest.collected_at AS last_document_at,
       complete.collected_at AS last_complete_at,
       round(CAST(extract(epoch FROM now() - complete.collected_at) / 3600 AS numeric), 1)
           AS hours_since_complete,
       coalesce(failures.since, '{}') AS failing_since
FROM accounts a
LEFT JOIN latest ON latest.account_id = a.id
LEFT JOIN complete ON complete.account_id = a.id
LEFT JOIN failures ON failures.account_id = a.id;
SELECT describe('freshness', '
Per account and region the last document and the last complete one, how old that is, and the
categories that fail, each with the time since when it does

last_document_at      when the last document was collected
last_complete_at      when the last complete document was collected
hours_since_complete  hours since then
failing_since         the categories that fail and since when, as JSON; {} if none does
');

-- run_steps: runs statements of the receiver one after another, with the rights of its caller. The
-- Data API takes one statement per call and some 20 ms for it; a document has a statement per table.
-- The planner cannot know how many rows come: it is told to look each up by an index.
CREATE OR REPLACE FUNCTION run_steps(document INTEGER, steps JSONB)
RETURNS TABLE (created BIGINT, updated BIGINT, gone BIGINT) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS '
DECLARE
    step JSONB;
BEGIN
    FOR step IN SELECT value FROM jsonb_array_elements(steps) LOOP
        RETURN QUERY EXECUTE step ->> ''sql''
            USING document, step -> ''rows'', step -> ''scopes'';
    END LOOP;
END';
