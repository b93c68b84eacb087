-- One SQL database over all AWS accounts: what sender.py collects and receiver.py loads.
--
-- Apply it with `receiver.py --init-schema` (or psql). It may be applied again at any time, also
-- over an older version: nothing here drops, renames or rewrites what exists.
-- PostgreSQL 14 or later.
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

-- accounts: an AWS account in a region, and the customer, partner and category it is tagged with.
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

-- documents: each S3 object that was loaded, with what loading it did. The two orders say which of
-- two documents is the newer: by the day it speaks about, and by the time it was collected.
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
ALTER TABLE accounts ADD COLUMN IF NOT EXISTS document_id INTEGER REFERENCES documents (id);

-- listings: which document stated the whole of which table (scope '') or of one period of it.
-- Only such a statement may say that something is gone, and the newest one decides.
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

-- contact_info: whom AWS would write to about the account (Account: GetContactInformation).
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

-- alternate_contacts: the billing, operations and security contacts, where they are set.
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

-- products: what the accounts are run for, one row per name whatever its case, shared by all
-- accounts. position and description are for people to edit; the receiver never changes them.
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

-- product_accounts: which account serves which product.
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

-- cost_reports: what an account cost in a day, week or month, beside the period before it.
-- Savings and their count are Cost Optimization Hub's, as of the report's own document
-- (savings_document_id); anomalies are Cost Anomaly Detection's, as of the last document that could
-- read them (anomalies_document_id).
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

-- service_costs: the services that a cost report is made of.
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

-- cost_forecasts: what AWS expected, seen from that report, with the bounds of its interval.
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

-- services: cost and used quantity per service, usage type and day (Cost Explorer).
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

-- ri_sp_daily_savings: what a reservation or savings plan was used for, cost and saved on a day.
-- reservation_type is ReservedInstance (of EC2 or RDS, by service) or SavingsPlan. subscription_id
-- is Cost Explorer's number of a reservation, or a plan's id. on_demand_cost is what the usage that
-- it covered would have cost, reservation_cost what it cost itself, advance payment included.
-- upfront_cost, recurring_cost and usage_price are the purchase's: of one instance, or of the plan.
-- offering_class is a reservation's class, or a plan's type; commitment is a plan's, per hour.
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

-- security: how many findings an account has per product, counted from findings after each load.
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

-- findings: Security Hub findings (ASFF). created_at and updated_at are AWS's own times.
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

-- guard_duty_findings: threats seen by GuardDuty. created_at and updated_at are AWS's own times.
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

-- kms_keys: KMS keys. key_rotation_enabled is NULL where AWS did not tell (denied, not applicable).
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

-- waf_rules: web ACLs (WAFv2), what they do by default and what they protect.
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

-- waf_rules_detailed: each rule of each web ACL, and what kind of protection it is.
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

-- cloudtrail_logs: trails, whether they log, where to, and when they last delivered.
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

-- secrets_manager_secrets: secrets by name (never their values) and whether they rotate.
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

-- certificates: ACM certificates of every key type and when they expire.
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

-- inspector_findings: vulnerabilities seen by Inspector. updated_at is AWS's own time.
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

-- config_reports: how many AWS Config rules were complied with on a day. curr_ counts resources.
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

-- non_compliant_resources: what breaks a rule (status OPEN), or did until gone_at (RESOLVED).
-- created_at is AWS's time of the evaluation, as config_rule_invoked_time is.
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

-- inventory_instances: machines that Systems Manager manages.
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

-- inventory_applications: what is installed on a managed machine. instance_id is the row of
-- inventory_instances.
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

-- inventory_patches: patches of a managed machine and their state there. instance_id is the row
-- of inventory_instances.
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

-- marketplace_usage: AWS Marketplace products that the account is entitled to or paid for.
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

-- trusted_advisor_checks: checks in warning or error, with what they would save.
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

-- health_events: AWS Health events that touch the account.
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

-- application_signals: services that Application Signals has seen.
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

-- resilience_hub_apps: applications assessed by Resilience Hub. rto and rpo are seconds, the
-- strictest of the app's policy; cost is the assessed monthly cost.
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

-- compute_optimizer: what Compute Optimizer would change. Memory in MiB, volumes in GiB,
-- utilization in percent, savings in US dollars a month.
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

-- service_resources: the main resources of EC2, RDS, S3, ELB, Auto Scaling and Lambda. Lambda
-- functions have their runtime in engine; size_gb is GiB.
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

-- config_inventory: every resource that AWS Config knows.
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

-- support_tickets: support cases. date_from and date_to are the window that they were read for.
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

-- logs: one row per document: what became of each category (Pass, Fail, Skipped).
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

-- log_messages: the story of a run, in order.
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

-- freshness: per account and region the last document and the last complete one, how old that is,
-- and the categories that fail, each with the time since when it does.
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
