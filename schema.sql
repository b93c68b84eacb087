-- One SQL database over all AWS accounts: what sender.py collects and receiver.py loads.
--
-- Apply it with `receiver.py --init-schema` (or psql). It may be applied again at any time, also
-- over an older version: nothing that people have made is lost; where a column's meaning changes,
-- what it said moves to a column that says so.
-- PostgreSQL 14 or later. describe(), under a table or view, tells what it and its columns mean;
-- that is in the database as COMMENT ON them.
--
-- Conventions
--   accounts        one row per account AND region; every other table hangs on it
--   id              BIGINT: rows that are refused take numbers, too
--   <table>_key     the natural key of a table, always a unique index of this name, in which no
--                   value counts as an empty text. Of texts it has key_text(), so look a row up by
--                   key_text(name) = key_text('...'). Columns and keys are stated only here; the
--                   receiver reads them from this file, types from the catalogue
--   <table>_alive   what still exists: gone rows are kept, and must not make loading slower
--   <table>_open    what is not settled: events are kept for ever, too
--   document_id     lineage: the document (S3 bucket, key, ETag) that the row last came from. It is
--                   no foreign key, so that old rows of documents can be deleted
--   ON DELETE       what hangs on a row goes with it: an account, or old reports, can be deleted
--   gone_at         snapshot tables: since when AWS no longer lists the thing; NULL = it exists
--   created_at      when the row was first loaded, unless the comment says AWS's own time
--   text TEXT, instants TIMESTAMPTZ, days DATE, money and other decimals NUMERIC
--   periods are half open: date_to / period_end is the first day after the period
--
-- Map
--   lineage         documents, listings, changes, daily_counts · expected_accounts, account_tags
--   account         accounts, contact_info, alternate_contacts, products, product_accounts
--   money           cost_reports > service_costs, cost_forecasts · services ·
--                   cost_by_tag · ri_sp_daily_savings · marketplace_usage
--   security        security > findings · guard_duty_findings, kms_keys, waf_rules,
--                   waf_rules_detailed, cloudtrail_logs, secrets_manager_secrets, certificates,
--                   inspector_findings
--   compliance      config_reports > non_compliant_resources
--   inventory       inventory_instances > inventory_applications, inventory_patches
--   operations      trusted_advisor_checks, health_events, application_signals,
--                   resilience_hub_apps, compute_optimizer, support_tickets
--   resources       service_resources, config_inventory
--   audit           logs > log_messages
--   views           document_statuses, freshness, account_overview · cost_sources, daily_costs,
--                   daily_tag_costs, month_to_date_costs, weekly_cost_changes · current_reservations,
--                   savings_opportunities · open_findings, daily_compliance, non_compliant_rules,
--                   security_hygiene, upcoming_events, missing_patches · existing_resources,
--                   recent_changes · unsettled_findings, fixed_findings, daily_measures

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

-- key_text: what the index of a natural key has of a text. An entry takes 2,704 bytes, and has up to
-- four texts, so a long one is there as its digest. The planner puts the function's body in its
-- place, so it costs next to nothing. Indexes are made of it: it must not change.
CREATE OR REPLACE FUNCTION key_text(value TEXT) RETURNS TEXT IMMUTABLE LANGUAGE sql AS '
    SELECT CASE WHEN octet_length(value) > 500 THEN md5(value) ELSE value END';

-- Until version 1.1 ids were INTEGER, and the natural keys held whole texts. Both are converted once,
-- in one statement. Views that read an id, also other people's, are dropped for it and made again
-- with their owner, options, rights and comments; a materialized view is told, and stops it all.
DO 'DECLARE
    ours OID[] := ARRAY(
        SELECT a.attrelid FROM pg_attribute a
        WHERE a.attname = ''id'' AND a.atttypid = ''integer''::regtype AND a.attrelid = ANY (ARRAY(
            SELECT to_regclass(''public.'' || name) FROM regexp_split_to_table(
                 ''accounts documents listings contact_info alternate_contacts products
                  product_accounts cost_reports service_costs cost_forecasts services
                  ri_sp_daily_savings security findings guard_duty_findings kms_keys waf_rules
                  waf_rules_detailed cloudtrail_logs secrets_manager_secrets certificates
                  inspector_findings config_reports non_compliant_resources
                  inventory_instances inventory_applications inventory_patches
                  marketplace_usage trusted_advisor_checks health_events application_signals
                  resilience_hub_apps compute_optimizer service_resources config_inventory
                  support_tickets logs log_messages'', ''\s+'') AS name)));
    x RECORD;
    y RECORD;
    sequence TEXT;
    next_id BIGINT;
BEGIN
    IF cardinality(ours) = 0 THEN RETURN; END IF;
    CREATE TEMPORARY TABLE converted ON COMMIT DROP AS
        SELECT a.attrelid, a.attnum, a.attname FROM pg_attribute a
        WHERE a.attrelid = ANY (ours) AND a.atttypid = ''integer''::regtype
          AND (a.attname = ''id'' OR a.attname LIKE ''%document_id'' OR EXISTS (
              SELECT FROM pg_constraint f
              WHERE f.conrelid = a.attrelid AND f.contype = ''f''
                AND a.attnum = ANY (f.conkey) AND f.confrelid = ANY (ours)));
    CREATE TEMPORARY TABLE readers ON COMMIT DROP AS
        WITH RECURSIVE found (oid, depth) AS (
            SELECT r.ev_class, 1 FROM converted c
            JOIN pg_depend d ON d.refobjid = c.attrelid AND d.refobjsubid = c.attnum
             AND d.classid = ''pg_rewrite''::regclass AND d.refclassid = ''pg_class''::regclass
            JOIN pg_rewrite r ON r.oid = d.objid
            UNION
            SELECT r.ev_class, f.depth + 1 FROM found f
            JOIN pg_depend d ON d.refobjid = f.oid
             AND d.classid = ''pg_rewrite''::regclass AND d.refclassid = ''pg_class''::regclass
            JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> f.oid)
        SELECT v.oid, format(''%I.%I'', v.relnamespace::regnamespace::text, v.relname) AS name,
               v.relkind, v.relacl, pg_get_userbyid(v.relowner) AS owner,
               coalesce(''WITH ('' || array_to_string(v.reloptions, '', '') || '')'', '''') AS options,
               pg_get_viewdef(v.oid) AS definition,
               ARRAY(SELECT format(
                         CASE d.objsubid WHEN 0 THEN ''COMMENT ON VIEW %1$s IS %3$L''
                                         ELSE ''COMMENT ON COLUMN %1$s.%2$I IS %3$L'' END,
                         format(''%I.%I'', v.relnamespace::regnamespace::text, v.relname),
                         a.attname, d.description)
                     FROM pg_description d
                     LEFT JOIN pg_attribute a ON a.attrelid = v.oid AND a.attnum = d.objsubid
                     WHERE d.objoid = v.oid AND d.classoid = ''pg_class''::regclass) AS comments,
               max(found.depth) AS depth
        FROM found JOIN pg_class v USING (oid) GROUP BY v.oid;
    FOR x IN SELECT * FROM readers WHERE relkind <> ''v'' LOOP
        RAISE ''% reads ids, which become BIGINT: drop it, and make it again afterwards'', x.name;
    END LOOP;
    FOR x IN SELECT * FROM readers ORDER BY depth DESC LOOP
        EXECUTE format(''DROP VIEW %s'', x.name);
    END LOOP;
    CREATE TEMPORARY TABLE hung ON COMMIT DROP AS
        SELECT format(''ALTER TABLE %s'', f.conrelid::regclass) AS alter_table, f.conname,
               pg_get_constraintdef(f.oid) AS definition
        FROM pg_constraint f
        WHERE f.contype = ''f'' AND f.confrelid = ANY (ours) AND f.conparentid = 0;
    FOR x IN SELECT * FROM hung LOOP
        EXECUTE format(''%s DROP CONSTRAINT %I'', x.alter_table, x.conname);
    END LOOP;
    FOR x IN SELECT i.indexrelid::regclass AS name FROM pg_index i
             JOIN pg_class c ON c.oid = i.indrelid
             JOIN pg_class k ON k.oid = i.indexrelid AND k.relname = c.relname || ''_key''
             WHERE c.oid = ANY (ours)
               AND c.relname NOT IN (''accounts'', ''documents'', ''listings'') LOOP
        EXECUTE format(''DROP INDEX %s'', x.name);
    END LOOP;
    FOR x IN SELECT c.attrelid::regclass AS name,
                    string_agg(format(''ALTER COLUMN %I TYPE BIGINT'', c.attname), '', '') AS altered
             FROM converted c GROUP BY 1 LOOP
        sequence := pg_get_serial_sequence(x.name::text, ''id'');
        EXECUTE format(''SELECT last_value + is_called::int FROM %s'', sequence) INTO next_id;
        EXECUTE format(''ALTER TABLE %s %s, ALTER COLUMN id DROP DEFAULT'', x.name, x.altered);
        EXECUTE format(''DROP SEQUENCE %s'', sequence);
        EXECUTE format(''ALTER TABLE %s ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY
                         (START WITH %s)'', x.name, next_id);
    END LOOP;
    FOR x IN SELECT * FROM hung LOOP
        EXECUTE format(''%s ADD CONSTRAINT %I %s'', x.alter_table, x.conname, x.definition);
    END LOOP;
    FOR x IN SELECT * FROM readers ORDER BY depth LOOP
        EXECUTE format(''CREATE VIEW %s %s AS %s'', x.name, x.options, x.definition);
        EXECUTE format(''ALTER VIEW %s OWNER TO %I'', x.name, x.owner);
        FOR y IN SELECT * FROM aclexplode(x.relacl) LOOP
            EXECUTE format(''GRANT %s ON %s TO %s %s'', y.privilege_type, x.name,
                CASE y.grantee WHEN 0 THEN ''PUBLIC'' ELSE y.grantee::regrole::text END,
                CASE WHEN y.is_grantable THEN ''WITH GRANT OPTION'' ELSE '''' END);
        END LOOP;
        FOR y IN SELECT unnest(x.comments) AS comment LOOP
            EXECUTE y.comment;
        END LOOP;
    END LOOP;
END';

CREATE TABLE IF NOT EXISTS accounts (
    id                BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id        VARCHAR(12) NOT NULL,
    account_name      TEXT,
    account_email     TEXT,
    account_status    TEXT,
    account_arn       TEXT,
    partner_name      TEXT DEFAULT 'None',
    customer_name     TEXT DEFAULT 'None',
    joined_method     TEXT,
    joined_timestamp  TIMESTAMPTZ,
    account_type      TEXT DEFAULT 'None',
    csp               TEXT NOT NULL DEFAULT 'AWS',
    region            TEXT NOT NULL,
    category          TEXT DEFAULT 'None',
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now()
);
ALTER TABLE accounts
    ALTER COLUMN partner_name SET DEFAULT 'None', ALTER COLUMN customer_name SET DEFAULT 'None',
    ALTER COLUMN category SET DEFAULT 'None', ALTER COLUMN account_type SET DEFAULT 'None';
UPDATE accounts
SET partner_name = coalesce(nullif(partner_name, ''), 'None'),
    customer_name = coalesce(nullif(customer_name, ''), 'None'),
    category = coalesce(nullif(category, ''), 'None'),
    account_type = coalesce(nullif(account_type, ''), 'None')
WHERE num_nulls(nullif(partner_name, ''), nullif(customer_name, ''), nullif(category, ''),
                nullif(account_type, '')) > 0;
CREATE UNIQUE INDEX IF NOT EXISTS accounts_key ON accounts (account_id, region);

CREATE TABLE IF NOT EXISTS documents (
    id             BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id     BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    bucket         TEXT NOT NULL,
    key            TEXT NOT NULL,
    etag           TEXT NOT NULL,
    size_bytes     BIGINT NOT NULL,
    last_modified  TIMESTAMPTZ NOT NULL,
    format         INTEGER,
    with_meta      BOOLEAN NOT NULL DEFAULT true,
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
ALTER TABLE documents ADD COLUMN IF NOT EXISTS with_meta BOOLEAN NOT NULL DEFAULT true;
CREATE UNIQUE INDEX IF NOT EXISTS documents_key ON documents (account_id, bucket, key, etag);
CREATE INDEX IF NOT EXISTS documents_latest ON documents (account_id, period_end DESC, collected_at DESC);
CREATE INDEX IF NOT EXISTS documents_collected ON documents (account_id, collected_at DESC);
CREATE INDEX IF NOT EXISTS documents_created ON documents (account_id, created_at);
CREATE INDEX IF NOT EXISTS documents_without_meta ON documents (account_id) WHERE NOT with_meta;
SELECT describe('documents', '
Each S3 object that was loaded, with what loading it did. The two orders say which of two
documents is the newer: by the day it speaks about, and by the time it was collected. One without
meta is of another producer: it comes before ours, and adds to what they say without changing it

bucket         S3 bucket of the object
key            S3 key under data/ that was read; the object is now under loaded/
etag           S3 entity tag: which version of the object it was
size_bytes     size of the object in bytes
last_modified  when the object was uploaded (S3: LastModified)
format         version of the document format (meta.format); NULL for other producers
sender         what collected it (meta.sender); NULL for other producers
with_meta      whether it says of itself when and of what it is; false for other producers
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

CREATE TABLE IF NOT EXISTS attempts (
    id             BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    bucket         TEXT NOT NULL,
    key            TEXT NOT NULL,
    etag           TEXT NOT NULL,
    tries          INTEGER NOT NULL DEFAULT 1,
    started_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    created_at     TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS attempts_key ON attempts (bucket, key, etag);
SELECT describe('attempts', '
Each large S3 object that is being loaded now, and those whose receiver was killed or that took too
long: after two tries such a document is refused

bucket      S3 bucket of the object
key         S3 key under data/
etag        S3 entity tag: which version of the object it is
tries       how often loading it was begun
started_at  when it was begun last
');

CREATE TABLE IF NOT EXISTS notices (
    id          BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    kind        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS notices_key ON notices (kind, subject);
SELECT describe('notices', '
Each problem with deliveries that there is, so that a sweep tells it as new once only

kind        silent (an account), never (an account that never delivered), stale (a region) or
            failing (a category)
subject     account, region and category that it is about
created_at  when a sweep found it first
');

CREATE TABLE IF NOT EXISTS statements (
    id          BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    digest      TEXT NOT NULL,
    sql         TEXT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT statements_text CHECK (digest = encode(sha256(convert_to(sql, 'UTF8')), 'hex'))
);
CREATE UNIQUE INDEX IF NOT EXISTS statements_key ON statements (digest);
SELECT describe('statements', '
The statements that documents are loaded with. A receiver names them by their digests, so that its
requests need not contain the texts

digest      SHA-256 of the text, as hexadecimal digits
sql         the statement
created_at  when a receiver added it
');

CREATE TABLE IF NOT EXISTS chunks (
    id          BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id  BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    document_id BIGINT NOT NULL,
    table_name  TEXT NOT NULL,
    digest      TEXT NOT NULL,
    head        TEXT NOT NULL,
    length      INTEGER NOT NULL,
    row_ids     BIGINT[] NOT NULL,
    versions    NUMERIC NOT NULL,
    layout      BIGINT NOT NULL,
    parents     JSONB,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS chunks_key ON chunks (account_id, table_name, digest);
-- As findings: each document sets document_id.
ALTER TABLE chunks SET (fillfactor = 50);
SELECT describe('chunks', '
Rows that follow each other in a list of an account''s newest large document, and are stored as they
are there. Where the next document has them again, they are not loaded again

account_id  the account
document_id the newest document that had them
table_name  the table of the rows
digest      SHA-256 of their text, of the receiver''s version, of the statement that compares them, and of
            the group of findings
head        the first 16 digits of the same of the first row
length      characters of their text
row_ids     ids of the stored rows
versions    sum of a number for id, xmin and ctid of each: another one once any of them is written
layout      a number for the columns that the table had
parents     the rows that they belong to, by name
created_at  when they were noted first
');

CREATE TABLE IF NOT EXISTS lists (
    id          BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id  BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    table_name  TEXT NOT NULL,
    digest      TEXT NOT NULL,
    versions    NUMERIC NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS lists_key ON lists (account_id, table_name);
SELECT describe('lists', '
The newest complete list per account and table that was found stored as it is, of documents of up to
7 MiB. If the next document has the same one and no stored row was written since, it is not compared

account_id  the account
table_name  the table of the rows
digest      SHA-256 of its text, of the receiver''s version and of the statement that compares it
versions    a number made of id, xmin and ctid of each stored row, of the keys of the rows they belong to,
            and of the table''s columns: another one once any of these changes
created_at  when a list of this table was noted first
');

ALTER TABLE accounts ADD COLUMN IF NOT EXISTS document_id BIGINT;
CREATE TABLE IF NOT EXISTS expected_accounts (
    id            BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id    VARCHAR(12) NOT NULL,
    account_name  TEXT,
    state         TEXT NOT NULL,
    failed        BOOLEAN NOT NULL DEFAULT false,
    reason        TEXT,
    listed_by     TEXT NOT NULL,
    listed_at     TIMESTAMPTZ NOT NULL,
    gone_at       TIMESTAMPTZ,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now()
);
ALTER TABLE expected_accounts ADD COLUMN IF NOT EXISTS regions JSONB NOT NULL DEFAULT '{}';
CREATE UNIQUE INDEX IF NOT EXISTS expected_accounts_key ON expected_accounts (account_id);
SELECT describe('expected_accounts', '
Each AWS account that there should be, whether it has delivered or not: as the newest run over an
organization lists it, or a list given to receiver.py --expect

account_id    the 12-digit account number, as text
account_name  name of the account (Organizations: Name)
state         ACTIVE, SUSPENDED and so on (Organizations: State), or EXCLUDED by the settings of
              the run
failed        whether something of the account failed in that run
reason        what failed, or why the account is not read
listed_by     account whose run lists it; list where it was given by hand
listed_at     when it was listed
regions       regions that documents should come from, each with the time since when it is listed,
              as JSON; {} where the list names none
');

-- What the hub says of accounts, whatever their own documents say: else an account could charge its
-- costs to another customer or product. Where a column is NULL the document decides.
CREATE TABLE IF NOT EXISTS account_tags (
    id             BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id     VARCHAR(12) NOT NULL,
    customer_name  TEXT,
    partner_name   TEXT,
    category       TEXT,
    account_type   TEXT,
    products       TEXT,
    created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at     TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS account_tags_key ON account_tags (account_id);
SELECT describe('account_tags', '
The tags of an account that the hub decides: those of the file given to receiver.py --tags. They are
in force in accounts and product_accounts, in all regions. NULL: the account''s documents decide

account_id     the 12-digit account number, as text
customer_name  the customer
partner_name   the partner
category       the category
account_type   what the account is for, such as production
products       products of the account, comma-separated; None: it has none
created_at     when a list had the account first
updated_at     when a list last changed its tags
');
ALTER TABLE accounts ADD COLUMN IF NOT EXISTS document_tags JSONB;
UPDATE accounts SET document_tags = jsonb_build_object(
    'partner_name', partner_name, 'customer_name', customer_name, 'category', category,
    'account_type', account_type)
WHERE document_tags IS NULL AND document_id IS NOT NULL;

SELECT describe('accounts', '
An AWS account in a region, and the customer, partner and category it is tagged with: by the hub
(account_tags), else by its own documents

account_id        the 12-digit account number, as text
account_name      name of the account (Account: AccountName; else Organizations: Name)
account_email     email address of the root user (Organizations: Email)
account_status    state of the account, such as ACTIVE or SUSPENDED (AccountState; else State)
account_arn       ARN by which the organization knows the account, else that of its root user
partner_name      the partner, as set for the sender; the text None where it is not
customer_name     the customer, as set for the sender; the text None where it is not
joined_method     INVITED or CREATED (Organizations: JoinedMethod)
joined_timestamp  when the account joined the organization, else when it was created
account_type      what the account is for, such as production, as set for the sender (ENVIRONMENT);
                  the text None where it is not
csp               the cloud provider: AWS
region            the region that the rows of this account are about
category          the category, as set for the sender; the text None where it is not
document_tags     customer, partner, category and type as its document has them; they are in force
                  where the hub says nothing
updated_at        when a load last changed the row
');

CREATE TABLE IF NOT EXISTS listings (
    id            BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id    BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    table_name    TEXT NOT NULL,
    scope         TEXT NOT NULL,
    sort_key      TEXT COLLATE "C" NOT NULL,
    document_id   BIGINT NOT NULL,
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

-- shortened: an object for changes, which need not keep all of a long text.
CREATE OR REPLACE FUNCTION shortened(held JSONB) RETURNS JSONB STRICT LANGUAGE sql AS '
    SELECT coalesce(jsonb_object_agg(e.key, CASE WHEN length(CAST(e.value AS text)) > 1000
        THEN to_jsonb(left(e.value #>> ''{}'', 1000) || ''…'') ELSE e.value END), ''{}'')
    FROM jsonb_each(held) e';

-- changed_values: of two rows of columns of these names the values that are not alike, as they were
-- and as they are. A row that is made by ROW() has members that are called f1, f2 and so on.
CREATE OR REPLACE FUNCTION changed_values(held JSONB, found JSONB, names TEXT[])
RETURNS TABLE (old_values JSONB, new_values JSONB) LANGUAGE sql AS '
    SELECT shortened(jsonb_object_agg(names[n.place], held -> n.name)),
           shortened(jsonb_object_agg(names[n.place], found -> n.name))
    FROM (SELECT g.place, ''f'' || g.place AS name
          FROM generate_subscripts(names, 1) AS g (place)) n
    WHERE held -> n.name IS DISTINCT FROM found -> n.name';

CREATE TABLE IF NOT EXISTS changes (
    id           BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id   BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    document_id  BIGINT NOT NULL,
    table_name   TEXT NOT NULL,
    row_id       BIGINT NOT NULL,
    row_key      JSONB NOT NULL,
    change       TEXT NOT NULL,
    old_values   JSONB,
    new_values   JSONB,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS changes_account ON changes (account_id, created_at);
SELECT describe('changes', '
What each load changed, a row per change. What the first complete listing of a table or period
brings is no change, nor is a column that always moves, such as when an agent last answered. Changes
are kept for a set time (CHANGES_DAYS of the receiver)

document_id  documents.id of the document that brought the change
table_name   the table that was changed
row_id       id of the row in that table; a row of a period may be deleted since
row_key      what identifies the row, as JSON: its natural key without ids
change       created, updated, gone (no longer listed) or returned (listed again)
old_values   the columns that changed with their values before, as JSON; long ones are cut off
new_values   the same columns with their values after, as JSON
created_at   when it was loaded
');

CREATE TABLE IF NOT EXISTS daily_counts (
    id           BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id   BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    day          DATE NOT NULL,
    measure      TEXT NOT NULL,
    dimension    TEXT NOT NULL DEFAULT '',
    value        NUMERIC NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id  BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS daily_counts_key
    ON daily_counts (account_id, measure, day, dimension);
SELECT describe('daily_counts', '
How much of something an account had on a day, counted when the newest document of that day was
loaded. Of a category that could not be read there is no row: not known is not none. Documents of
past days, and of other producers, count nothing

day          the last day that the document covers, in UTC
measure      what is counted: open_findings, non_compliant_rules, non_compliant_resources,
             keys_without_rotation, secrets_without_rotation, expired_certificates,
             managed_instances, missing_patches, resources, recorded_resources,
             advisor_warnings, open_health_events or monthly_savings (US dollars)
dimension    severity of findings and patches, type of resources, status of advisor checks,
             category of health events; else empty
value        the number or the amount
document_id  documents.id of the document that it was counted for
');

CREATE TABLE IF NOT EXISTS contact_info (
    id               BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id       BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id      BIGINT
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
    id            BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id    BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    contact_type  TEXT NOT NULL,
    full_name     TEXT,
    title         TEXT,
    email         TEXT,
    phone_number  TEXT,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at       TIMESTAMPTZ,
    document_id   BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS alternate_contacts_key
    ON alternate_contacts (account_id, key_text(contact_type));
SELECT describe('alternate_contacts', '
The billing, operations and security contacts, where they are set (Account: GetAlternateContact)

contact_type  billing, operations or security (AlternateContactType)
full_name     name of the contact (Name)
title         title of the contact (Title)
email         email address (EmailAddress)
phone_number  phone number (PhoneNumber)
');

CREATE TABLE IF NOT EXISTS products (
    id           BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    name         TEXT NOT NULL,
    owner        TEXT NOT NULL DEFAULT 'System',
    position     TEXT,
    description  TEXT,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);
ALTER TABLE products ALTER COLUMN position DROP NOT NULL;
ALTER TABLE products ALTER COLUMN position DROP DEFAULT;
ALTER TABLE products ALTER COLUMN description DROP NOT NULL;
ALTER TABLE products ALTER COLUMN description DROP DEFAULT;
DO 'BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(''products'')
               AND attname = ''position'' AND atttypid = ''integer''::regtype) THEN
        ALTER TABLE products ALTER COLUMN position TYPE TEXT USING nullif(position, 0)::text;
    END IF;
EXCEPTION WHEN feature_not_supported THEN
    RAISE WARNING ''products.position is still a number: a view reads it'';
END';
ALTER TABLE products ADD COLUMN IF NOT EXISTS document_id BIGINT;
CREATE UNIQUE INDEX IF NOT EXISTS products_key ON products (key_text(lower(name)));
SELECT describe('products', '
What the accounts are run for, one row per name whatever its case, shared by all accounts. An
account without one belongs to the product None.
position and description are for people to edit; the receiver never changes them

name         name of the product, as set for the sender (PRODUCT) of the first account that names it,
             or as the hub writes it
owner        who owns the product; System until people change it
position     place in a list, for people to set
description  what the product is, for people to write
document_id  documents.id of a document of that account; NULL: people or the hub named it
');

CREATE TABLE IF NOT EXISTS product_accounts (
    id           BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    product_id   BIGINT NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    account_id   BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at      TIMESTAMPTZ,
    document_id  BIGINT
);
ALTER TABLE product_accounts ADD COLUMN IF NOT EXISTS from_tags BOOLEAN NOT NULL DEFAULT false;
CREATE UNIQUE INDEX IF NOT EXISTS product_accounts_key ON product_accounts (account_id, product_id);
CREATE INDEX IF NOT EXISTS product_accounts_product ON product_accounts (product_id);
DELETE FROM product_accounts WHERE gone_at IS NOT NULL;
DO 'BEGIN
    IF EXISTS (SELECT FROM accounts a WHERE NOT EXISTS (
                   SELECT FROM product_accounts l WHERE l.account_id = a.id)) THEN
        INSERT INTO products (name) VALUES (''None'') ON CONFLICT (key_text(lower(name))) DO NOTHING;
        INSERT INTO product_accounts (product_id, account_id, document_id)
        SELECT p.id, a.id, a.document_id FROM accounts a JOIN products p ON lower(p.name) = ''none''
        WHERE NOT EXISTS (SELECT FROM product_accounts l WHERE l.account_id = a.id);
    END IF;
END';
SELECT describe('product_accounts', '
Which account serves which product. What ends is deleted. A row without a document is one that
people made, which the receiver leaves alone

product_id   products.id of the product
gone_at      always NULL; older versions kept what had ended
document_id  documents.id of the document it last came from; NULL: people or the hub made it
from_tags    whether the hub says so (account_tags)
');

DO 'BEGIN
    CREATE TYPE period_granularity_type AS ENUM (''MONTHLY'', ''WEEKLY'', ''DAILY'');
EXCEPTION WHEN duplicate_object THEN NULL;
END';
CREATE TABLE IF NOT EXISTS cost_reports (
    id                          BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id                  BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    savings_document_id         BIGINT,
    anomalies_document_id       BIGINT,
    created_at                  TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id                 BIGINT
);
ALTER TABLE cost_reports
    ADD COLUMN IF NOT EXISTS anomalies_document_id BIGINT;
ALTER TABLE cost_reports ADD COLUMN IF NOT EXISTS amortized_cost NUMERIC;
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
amortized_cost              amortized cost of the period: upfront and recurring payments of
                            reservations and savings plans spread over the days they are for
savings_document_id         documents.id of the document that said what could be saved
anomalies_document_id       documents.id of the last document that could read anomalies
');

CREATE TABLE IF NOT EXISTS service_costs (
    id              BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    cost_report_id  BIGINT NOT NULL REFERENCES cost_reports (id) ON DELETE CASCADE,
    service_name    TEXT NOT NULL,
    cost            NUMERIC,
    region          TEXT NOT NULL DEFAULT 'Global',
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id     BIGINT
);
ALTER TABLE service_costs ADD COLUMN IF NOT EXISTS amortized_cost NUMERIC;
CREATE UNIQUE INDEX IF NOT EXISTS service_costs_key
    ON service_costs (cost_report_id, key_text(service_name), region);
SELECT describe('service_costs', '
The services that a cost report is made of

cost_report_id  cost_reports.id of the report
service_name    service, as Cost Explorer names it (SERVICE)
cost            unblended cost of the service in the period of the report
amortized_cost  amortized cost of the service in that period
region          Global: costs belong to no region
');

CREATE TABLE IF NOT EXISTS cost_forecasts (
    id                               BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    cost_report_id                   BIGINT NOT NULL REFERENCES cost_reports (id) ON DELETE CASCADE,
    period_start                     DATE NOT NULL,
    period_end                       DATE,
    amount                           NUMERIC,
    prediction_interval_lower_bound  NUMERIC,
    prediction_interval_upper_bound  NUMERIC,
    region                           TEXT NOT NULL DEFAULT 'Global',
    created_at                       TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id                      BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS cost_forecasts_key
    ON cost_forecasts (cost_report_id, period_start, region);
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
    id                BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id        BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id       BIGINT
);
ALTER TABLE services ADD COLUMN IF NOT EXISTS amortized_cost NUMERIC;
CREATE UNIQUE INDEX IF NOT EXISTS services_key
    ON services (account_id, date_from, key_text(service), key_text(coalesce(usage_types, '')));
SELECT describe('services', '
Cost and used quantity per service, usage type and day (Cost Explorer: GetCostAndUsage)

service           service, as Cost Explorer names it (SERVICE)
date_from         the day, or the first day of a longer period
date_to           first day after the period
cost              unblended cost (UnblendedCost)
amortized_cost    cost with payments for reservations and savings plans spread over the days that
                  they are for (AmortizedCost)
currency          currency of the cost, such as USD (Unit)
utilization       used quantity (UsageQuantity)
utilization_unit  unit of the used quantity, such as Hrs
usage_types       usage type, such as BoxUsage:t3.micro (USAGE_TYPE)
');

CREATE TABLE IF NOT EXISTS cost_by_tag (
    id              BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id      BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    day             DATE NOT NULL,
    tag_key         TEXT NOT NULL,
    tag_value       TEXT,
    cost            NUMERIC,
    amortized_cost  NUMERIC,
    currency        TEXT,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id     BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS cost_by_tag_key
    ON cost_by_tag (account_id, day, key_text(tag_key), key_text(coalesce(tag_value, '')));
SELECT describe('cost_by_tag', '
Cost per day and value of a cost allocation tag (Cost Explorer: GetCostAndUsage), for the tags that
the sender is told to read

day             the day, in UTC
tag_key         the tag, such as team
tag_value       the value of the tag; empty: what does not have it
cost            unblended cost (UnblendedCost)
amortized_cost  cost with payments for reservations and savings plans spread over the days that they
                are for (AmortizedCost)
currency        currency of the costs, such as USD (Unit)
');

CREATE TABLE IF NOT EXISTS ri_sp_daily_savings (
    id                      BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id              BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id             BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS ri_sp_daily_savings_key
    ON ri_sp_daily_savings (account_id, date_to, key_text(reservation_type),
     key_text(subscription_id));
UPDATE ri_sp_daily_savings t
SET reservation_type = CASE reservation_type WHEN 'SavingsPlan' THEN 'Savings Plan'
                                             ELSE 'Reserved Instance' END
WHERE reservation_type IN ('SavingsPlan', 'ReservedInstance') AND NOT EXISTS (
    SELECT FROM ri_sp_daily_savings n
    WHERE n.account_id = t.account_id AND n.date_to = t.date_to
      AND n.reservation_type IN ('Savings Plan', 'Reserved Instance')
      AND n.subscription_id = t.subscription_id);
DELETE FROM ri_sp_daily_savings WHERE reservation_type IN ('SavingsPlan', 'ReservedInstance');
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
    id                   BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id           BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id          BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS security_key ON security (account_id, key_text(service));
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
    id                 BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id         BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    security_id        BIGINT REFERENCES security (id) ON DELETE CASCADE,
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
    document_id        BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS findings_key ON findings (account_id, key_text(finding_id));
-- Each document sets document_id of all findings that it has. With half of each page free, the new
-- version of a row stays on its page, and is written into no index, as long as none has document_id.
ALTER TABLE findings SET (fillfactor = 50);
CREATE INDEX IF NOT EXISTS findings_security ON findings (security_id);
CREATE INDEX IF NOT EXISTS findings_open ON findings (account_id)
    WHERE record_state IS DISTINCT FROM 'ARCHIVED'
      AND coalesce(status, '') NOT IN ('RESOLVED', 'SUPPRESSED');
UPDATE findings f SET service = f.resource_type FROM security s
WHERE s.id = f.security_id AND f.service = s.service AND f.resource_type <> f.service;
UPDATE findings SET generator = product_name
WHERE generator = split_part(generator_id, '/', 1) AND product_name <> generator;
SELECT describe('findings', '
Security Hub findings in the AWS Security Finding Format (GetFindings)

security_id        security.id of the group that the finding is counted in
finding_id         identifier that the provider gave (Id)
service            type of the first resource, such as AwsS3Bucket (Resources.Type)
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
generator          name of the generator (GeneratorDetails.Name), else of the product
');

CREATE TABLE IF NOT EXISTS guard_duty_findings (
    id             BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id     BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id    BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS guard_duty_findings_key
    ON guard_duty_findings (account_id, key_text(finding_id));
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
    id                    BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id            BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id           BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS kms_keys_key ON kms_keys (account_id, key_text(key_id));
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
    id                    BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id            BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id           BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS waf_rules_key ON waf_rules (account_id, key_text(arn));
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
    id                      BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id              BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    web_acl_name            TEXT NOT NULL,
    rule_name               TEXT NOT NULL,
    priority                INTEGER,
    action                  TEXT,
    statement_type          TEXT,
    is_managed_rule         BOOLEAN,
    is_custom_rule          BOOLEAN,
    rate_limit              BOOLEAN,
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
    document_id             BIGINT
);
DO 'BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(''waf_rules_detailed'')
               AND attname = ''rate_limit'' AND atttypid = ''bigint''::regtype) THEN
        ALTER TABLE waf_rules_detailed RENAME COLUMN rate_limit TO rate_limit_requests;
        ALTER TABLE waf_rules_detailed ADD COLUMN rate_limit BOOLEAN;
        UPDATE waf_rules_detailed SET rate_limit = rate_limit_requests IS NOT NULL;
    END IF;
END';
ALTER TABLE waf_rules_detailed ADD COLUMN IF NOT EXISTS rate_limit_requests BIGINT;
CREATE UNIQUE INDEX IF NOT EXISTS waf_rules_detailed_key
    ON waf_rules_detailed (account_id, key_text(scope), key_text(web_acl_name), key_text(rule_name));
CREATE INDEX IF NOT EXISTS waf_rules_detailed_alive ON waf_rules_detailed (account_id) WHERE gone_at IS NULL;
UPDATE waf_rules_detailed SET waf_version = 'v2' WHERE waf_version = 'WAFv2';
SELECT describe('waf_rules_detailed', '
Each rule of each web ACL, and what kind of protection it is (WAFv2: GetWebACL)

web_acl_name            name of the web ACL
rule_name               name of the rule (Name)
priority                order in which rules are evaluated, from the lowest (Priority)
action                  Block, Allow, Count, …; what overrides the rules of a group
statement_type          type of the outermost statement, such as RateBasedStatement
is_managed_rule         whether it uses a managed rule group
is_custom_rule          whether it uses none
rate_limit              whether the rule limits a rate
rate_limit_requests     requests per evaluation window that are let through (Limit)
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
    id                     BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id             BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id            BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS cloudtrail_logs_key
    ON cloudtrail_logs (account_id, key_text(arn));
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
    id                  BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id          BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name                TEXT,
    arn                 TEXT NOT NULL,
    description         TEXT,
    created_date        TIMESTAMPTZ,
    last_changed_date   TIMESTAMPTZ,
    rotation_enabled    BOOLEAN,
    last_rotated_date   TIMESTAMPTZ,
    last_accessed_date  TIMESTAMPTZ,
    deleted_date        TIMESTAMPTZ,
    created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at             TIMESTAMPTZ,
    document_id         BIGINT
);
ALTER TABLE secrets_manager_secrets ADD COLUMN IF NOT EXISTS deleted_date TIMESTAMPTZ;
CREATE UNIQUE INDEX IF NOT EXISTS secrets_manager_secrets_key
    ON secrets_manager_secrets (account_id, key_text(arn));
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
deleted_date        when its deletion was scheduled (DeletedDate); the secret exists until its
                    recovery window ends
');

CREATE TABLE IF NOT EXISTS certificates (
    id                   BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id           BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id          BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS certificates_key ON certificates (account_id, key_text(arn));
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
    id                 BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id         BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id        BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS inspector_findings_key
    ON inspector_findings (account_id, key_text(finding_arn));
CREATE INDEX IF NOT EXISTS inspector_findings_open ON inspector_findings (account_id)
    WHERE status = 'ACTIVE' OR status IS NULL;
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
    id                   BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id           BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    date_from            DATE NOT NULL,
    date_to              DATE,
    compliance_score     NUMERIC,
    total_rules          INTEGER,
    compliant_rules      INTEGER,
    non_compliant_rules  INTEGER,
    curr_non_compliant   INTEGER,
    curr_compliant       INTEGER,
    created_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id          BIGINT
);
ALTER TABLE config_reports ADD COLUMN IF NOT EXISTS rules_without_result INTEGER;
UPDATE config_reports
SET total_rules = compliant_rules + non_compliant_rules,
    rules_without_result = total_rules - compliant_rules - non_compliant_rules
WHERE rules_without_result IS NULL AND total_rules >= compliant_rules + non_compliant_rules;
CREATE UNIQUE INDEX IF NOT EXISTS config_reports_key ON config_reports (account_id, date_from);
CREATE INDEX IF NOT EXISTS config_reports_day ON config_reports (date_from);
SELECT describe('config_reports', '
How many AWS Config rules were complied with on a day (DescribeComplianceByConfigRule)

date_from             the day
date_to               the day after
compliance_score      compliant rules in percent of those with a result
total_rules           rules with a result: those complied with and those broken
compliant_rules       rules that all resources comply with
non_compliant_rules   rules that a resource breaks
curr_non_compliant    resources that break a rule
curr_compliant        resources that comply with all their rules
rules_without_result  rules that have no result, such as those of resources that there are none of
');

CREATE TABLE IF NOT EXISTS non_compliant_resources (
    id                        BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id                BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    config_report_id          BIGINT REFERENCES config_reports (id) ON DELETE SET NULL,
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
    document_id               BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS non_compliant_resources_key
    ON non_compliant_resources (account_id, key_text(rule_name),
     key_text(coalesce(resource_type, '')),
     key_text(coalesce(resource_id, '')), key_text(coalesce(evaluation_mode, '')));
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
conformance_pack          conformance pack that the rule came with; Standalone: none; NULL: not known
status                    OPEN while it breaks the rule, then RESOLVED
config_rule_invoked_time  when the rule was evaluated (ConfigRuleInvokedTime)
created_at                the same time
');

CREATE TABLE IF NOT EXISTS inventory_instances (
    id                          BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id                  BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id                 BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS inventory_instances_key
    ON inventory_instances (account_id, key_text(instance_id));
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
    id                BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id        BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    instance_id       BIGINT NOT NULL REFERENCES inventory_instances (id) ON DELETE CASCADE,
    name              TEXT NOT NULL,
    version           TEXT,
    publisher         TEXT,
    architecture      TEXT,
    application_type  TEXT,
    install_time      TIMESTAMPTZ,
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id       BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS inventory_applications_key
    ON inventory_applications (account_id, instance_id, key_text(name),
     key_text(coalesce(version, '')), key_text(coalesce(architecture, '')));
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
    id              BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id      BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    instance_id     BIGINT NOT NULL REFERENCES inventory_instances (id) ON DELETE CASCADE,
    title           TEXT NOT NULL,
    classification  TEXT,
    severity        TEXT,
    state           TEXT,
    installed_time  TIMESTAMPTZ,
    kb_id           TEXT,
    cve_ids         TEXT,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id     BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS inventory_patches_key
    ON inventory_patches (account_id, instance_id, key_text(title));
CREATE INDEX IF NOT EXISTS inventory_patches_instance ON inventory_patches (instance_id);
CREATE INDEX IF NOT EXISTS inventory_patches_missing ON inventory_patches (account_id)
    WHERE state IN ('Missing', 'MISSING', 'Failed', 'FAILED',
                  'InstalledPendingReboot', 'INSTALLED_PENDING_REBOOT',
                  'AvailableSecurityUpdate', 'AVAILABLE_SECURITY_UPDATE');
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
    id             BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id     BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    product_code   TEXT NOT NULL,
    product_name   TEXT,
    cost_consumed  NUMERIC,
    currency       TEXT,
    period_start   DATE NOT NULL,
    period_end     DATE,
    status         TEXT,
    created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id    BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS marketplace_usage_key
    ON marketplace_usage (account_id, period_start, key_text(product_code));
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
    id                        BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id                BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id               BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS trusted_advisor_checks_key
    ON trusted_advisor_checks (account_id, key_text(category), key_text(check_name));
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
    id                   BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id           BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id          BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS health_events_key ON health_events (account_id, key_text(arn));
CREATE INDEX IF NOT EXISTS health_events_open ON health_events (account_id)
    WHERE status_code IS DISTINCT FROM 'closed';
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
    id              BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id      BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    service_name    TEXT,
    namespace       TEXT,
    key_attributes  JSONB NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at         TIMESTAMPTZ,
    document_id     BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS application_signals_key
    ON application_signals (account_id, key_text(key_attributes::text));
SELECT describe('application_signals', '
Services that Application Signals has seen (ListServices)

service_name    name of the service (KeyAttributes.Name)
namespace       CloudWatch namespace of its metrics
key_attributes  what identifies the service (KeyAttributes)
');

CREATE TABLE IF NOT EXISTS resilience_hub_apps (
    id                    BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id            BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id           BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS resilience_hub_apps_key
    ON resilience_hub_apps (account_id, key_text(app_arn));
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
    id                              BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id                      BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    performance_risk                NUMERIC,
    cpu_utilization_max             NUMERIC,
    memory_utilization_avg          NUMERIC,
    migration_effort                TEXT,
    created_at                      TIMESTAMPTZ NOT NULL DEFAULT now(),
    gone_at                         TIMESTAMPTZ,
    document_id                     BIGINT
);
DO 'BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(''compute_optimizer'')
               AND attname = ''performance_risk'' AND atttypid = ''text''::regtype) THEN
        ALTER TABLE compute_optimizer RENAME COLUMN performance_risk TO current_performance_risk;
        ALTER TABLE compute_optimizer ADD COLUMN performance_risk NUMERIC;
    END IF;
END';
ALTER TABLE compute_optimizer ADD COLUMN IF NOT EXISTS current_performance_risk TEXT;
CREATE UNIQUE INDEX IF NOT EXISTS compute_optimizer_key
    ON compute_optimizer (account_id, key_text(resource_arn));
CREATE INDEX IF NOT EXISTS compute_optimizer_alive ON compute_optimizer (account_id) WHERE gone_at IS NULL;
UPDATE compute_optimizer
SET resource_type = CASE resource_type WHEN 'Ec2Instance' THEN 'EC2' WHEN 'EbsVolume' THEN 'EBS'
                                       ELSE 'Lambda' END
WHERE resource_type IN ('Ec2Instance', 'EbsVolume', 'LambdaFunction');
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
performance_risk                risk of the best option, from 0 (none) to 4 (performanceRisk)
current_performance_risk        risk that the current resource is too small, such as VeryLow
cpu_utilization_max             highest CPU utilization in percent
memory_utilization_avg          average memory utilization in percent
migration_effort                effort of the change: VeryLow, Low, Medium or High
');

CREATE TABLE IF NOT EXISTS service_resources (
    id                  BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id          BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id         BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS service_resources_key
    ON service_resources (account_id, key_text(service_name), key_text(resource_type),
     key_text(resource_id));
CREATE INDEX IF NOT EXISTS service_resources_alive ON service_resources (account_id) WHERE gone_at IS NULL;
UPDATE service_resources t
SET service_name = CASE resource_type WHEN 'Volume' THEN 'EBS' ELSE 'VPC' END
WHERE service_name = 'EC2' AND resource_type IN ('Volume', 'Subnet') AND NOT EXISTS (
    SELECT FROM service_resources n
    WHERE n.account_id = t.account_id AND n.service_name IN ('EBS', 'VPC')
      AND n.resource_type = t.resource_type AND n.resource_id = t.resource_id);
DELETE FROM service_resources
WHERE service_name = 'EC2' AND resource_type IN ('Volume', 'Subnet');
UPDATE service_resources SET state = 'Active'
WHERE state IS NULL AND service_name IN ('S3', 'AutoScaling', 'Lambda');
ALTER TABLE service_resources ADD COLUMN IF NOT EXISTS arn TEXT;
DELETE FROM service_resources WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER (PARTITION BY account_id, service_name, resource_type,
                   CASE WHEN resource_id LIKE 'arn:%' THEN resource_name ELSE resource_id END
                   ORDER BY gone_at DESC NULLS FIRST, id DESC) AS place
        FROM service_resources WHERE resource_name IS NOT NULL
         AND service_name IN ('ELB', 'AutoScaling', 'Lambda')) AS named
    WHERE place > 1);
UPDATE service_resources SET arn = resource_id, resource_id = resource_name
WHERE resource_id LIKE 'arn:%' AND service_name IN ('ELB', 'AutoScaling', 'Lambda')
  AND resource_name IS NOT NULL;
SELECT describe('service_resources', '
The main resources of EC2, RDS, S3, ELB, Auto Scaling and Lambda

service_name        service, such as EC2, EBS or VPC
resource_type       type, such as Instance
resource_id         identifier within the account and region; a name, where the resource has one
resource_name       name, or value of the tag Name
arn                 ARN of a database, load balancer, scaling group or function
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
    id                  BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id          BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id         BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS config_inventory_key
    ON config_inventory (account_id, key_text(resource_type), key_text(resource_id),
     key_text(coalesce(region, '')));
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
    id             BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id     BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id    BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS support_tickets_key
    ON support_tickets (account_id, key_text(case_id));
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
    id                         BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    account_id                 BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
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
    document_id                BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS logs_key ON logs (account_id, date_created);
CREATE INDEX IF NOT EXISTS logs_document ON logs (document_id);
ALTER TABLE logs ADD COLUMN IF NOT EXISTS ri_sp_savings_status TEXT;
ALTER TABLE logs ADD COLUMN IF NOT EXISTS cost_by_tag_status TEXT;
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
cost_by_tag_status        what became of costs by tag
');

CREATE TABLE IF NOT EXISTS log_messages (
    id            BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    log_id        BIGINT NOT NULL REFERENCES logs (id) ON DELETE CASCADE,
    position      INTEGER NOT NULL,
    message       TEXT,
    message_type  TEXT,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    document_id   BIGINT
);
CREATE UNIQUE INDEX IF NOT EXISTS log_messages_key ON log_messages (log_id, position);
SELECT describe('log_messages', '
What a run told, in order

log_id        logs.id of the run
position      place in the log, from 0
message       text of the message
message_type  kind of message, such as INFO, SUCCESS, FAIL or ERROR
');

-- Databases of older versions: what hangs on a row goes with it, and documents may be deleted. Our
-- tables are those with a natural key; foreign keys of other tables and columns are people's.
DO 'DECLARE held RECORD;
BEGIN
    FOR held IN
        SELECT c.conname, t.relname, p.relname AS parent, pg_get_constraintdef(c.oid) AS definition
        FROM pg_constraint c
        JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class p ON p.oid = c.confrelid
        JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = current_schema
        JOIN pg_class k ON k.relnamespace = n.oid AND k.relname = t.relname || ''_key''
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]
        WHERE c.contype = ''f'' AND c.confdeltype = ''a'' AND cardinality(c.conkey) = 1
          AND a.attname IN (''account_id'', ''document_id'', ''product_id'', ''security_id'',
                            ''cost_report_id'', ''config_report_id'', ''instance_id'', ''log_id'',
                            ''savings_document_id'', ''anomalies_document_id'')
          AND p.relname IN (''accounts'', ''documents'', ''products'', ''security'', ''cost_reports'',
                            ''config_reports'', ''inventory_instances'', ''logs'')
    LOOP
        EXECUTE format(''ALTER TABLE %I DROP CONSTRAINT %I'', held.relname, held.conname);
        IF held.parent <> ''documents'' THEN
            EXECUTE format(''ALTER TABLE %I ADD CONSTRAINT %I %s ON DELETE %s'',
                held.relname, held.conname, held.definition,
                CASE held.parent WHEN ''config_reports'' THEN ''SET NULL'' ELSE ''CASCADE'' END);
        END IF;
    END LOOP;
END';

-- Older versions took what a clock that goes ahead said, or a period that is not over, for the
-- newest of all. A document is as new as the earlier of its period's end and the day after.
WITH told AS (
    SELECT d.*, CASE WHEN collected_at > last_modified + interval '1 day' THEN last_modified
                     ELSE collected_at END AT TIME ZONE 'UTC' AS at
    FROM documents d WHERE with_meta),
wrong AS (
    SELECT id, account_id, etag, day_order, time_order, at,
           to_char(least(period_end, CAST(at AS date) + 1), 'YYYY-MM-DD') AS known,
           to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00' AS at_text
    FROM told
    WHERE collected_at > last_modified + interval '1 day'
       OR left(day_order, 10) > to_char(CAST(at AS date) + 1, 'YYYY-MM-DD')),
repaired AS (
    UPDATE documents d SET collected_at = w.at AT TIME ZONE 'UTC',
        day_order = concat_ws(' ', w.known, w.at_text, w.etag),
        time_order = concat_ws(' ', w.at_text, w.known, w.etag)
    FROM wrong w WHERE d.id = w.id)
UPDATE listings l SET collected_at = w.at AT TIME ZONE 'UTC', sort_key = CASE l.sort_key
        WHEN w.day_order THEN concat_ws(' ', w.known, w.at_text, w.etag)
        ELSE concat_ws(' ', w.at_text, w.known, w.etag) END
FROM wrong w
WHERE l.account_id = w.account_id AND l.document_id = w.id
  AND l.sort_key IN (w.day_order, w.time_order);

-- Views answer the questions that people ask, with the number and name of the account beside its
-- facts. In the tables account_id is accounts.id, a row per account and region; in the views it is
-- the 12-digit account number. What is gone is left out.
--
-- A later version may add columns at the end of a view, but not rename, drop or retype any: that is
-- what CREATE OR REPLACE allows, and what other people have built on a view needs. Dropping a view
-- to make it anew would take that and everybody's rights away. Where a new version retypes a column
-- of a table that views read, it has to drop these views first, and says so to its users.
--
-- A filter by account or day has to reach the tables that grow with time. So a view groups, sorts
-- and numbers rows by account_id, and by day if it has one; and what it sums up of such a table it
-- reads account by account (LATERAL), by the natural key: the planner, which knows nothing of what
-- a view is asked, would else read all of it. It could do that for EXISTS too, if only to answer it
-- from a hash table: (SELECT true … LIMIT 1) is looked up.

-- A document of a past day (backfill) cannot tell how things are: what exists only now is Skipped
-- there, as a service that is off is elsewhere, and of security it has only what carries dates. An
-- older day's is known by when it was collected; yesterday's, by not having asked for the account,
-- nor listed anything that exists now (the sender leaves those lists out). So only a document that
-- did (of_now) may be complete. What one without meta says of itself proves nothing: it is not told.
-- OFFSET 0: the statuses are made once for a document, and not for each column that is made of them.
CREATE OR REPLACE VIEW document_statuses AS
SELECT a.id AS account_row, a.account_id, a.account_name, a.customer_name, a.region,
       d.collected_at, told.of_now,
       told.of_now AND NOT EXISTS (
           SELECT FROM jsonb_each_text(told.statuses) s WHERE s.value NOT IN ('Pass', 'Skipped'))
           AS complete,
       told.statuses
FROM documents d
JOIN logs l ON l.document_id = d.id
JOIN accounts a ON a.id = d.account_id
CROSS JOIN LATERAL (
    SELECT coalesce(
               nullif(d.with_meta AND l.account_status IN ('Pass', 'Fail'), false),
               (SELECT true FROM listings x
                WHERE x.account_id = d.account_id AND x.scope = '' AND x.sort_key = d.day_order
                  AND x.table_name IN ('accounts', 'kms_keys', 'service_resources') LIMIT 1),
               false) AS of_now,
           CASE WHEN NOT d.with_meta THEN '{}' ELSE (
               SELECT jsonb_object_agg(left(status.key, -length('_status')), status.value)
               FROM jsonb_each(to_jsonb(l)) status
               WHERE status.key LIKE '%\_status' AND status.key <> 'logs_status')
           END AS statuses
    OFFSET 0) told
WHERE d.collected_at < (d.period_end + 1)::timestamp AT TIME ZONE 'UTC';
SELECT describe('document_statuses', '
What became of each category in each document that is not of a past day

account_row   what account_id is in the tables (accounts.id)
collected_at  when the document was collected
of_now        whether the document tells how things are now, and not only how they were
complete      whether it does, and each category is Pass or Skipped
statuses      status per category as JSON: Pass, Fail, Skipped, None (left out) or null (not told);
              empty for a document without meta
');

-- What ends a failure: the Pass of a category in any document, as that much was read, but of
-- security, which may be a part, and a Skipped, only in a document of now. A Fail always counts.
-- What was before a document that ended all failures need not be read, nor that one by itself; where
-- it has several logs, one of them may tell of a failure.
CREATE OR REPLACE VIEW freshness AS
SELECT a.account_id, a.region, latest.collected_at AS last_document_at,
       complete.collected_at AS last_complete_at,
       round(CAST(extract(epoch FROM now() - complete.collected_at) / 3600 AS numeric), 1)
           AS hours_since_complete,
       coalesce(failures.since, '{}') AS failing_since, a.account_name, a.customer_name
FROM accounts a
LEFT JOIN LATERAL (
    SELECT s.collected_at FROM document_statuses s
    WHERE s.account_row = a.id ORDER BY s.collected_at DESC LIMIT 1) latest ON true
LEFT JOIN LATERAL (
    SELECT s.collected_at,
           CASE WHEN s.statuses = jsonb_strip_nulls(s.statuses) THEN s.collected_at END AS ended_at
    FROM document_statuses s
    WHERE s.account_row = a.id AND s.complete ORDER BY s.collected_at DESC LIMIT 1) complete ON true
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(f.category, f.since) AS since
    FROM (SELECT t.category, min(t.collected_at) AS since
          FROM (SELECT c.key AS category, c.value AS status, s.collected_at,
                       max(s.collected_at) FILTER (
                           WHERE CASE c.value WHEN 'Pass' THEN s.of_now OR c.key <> 'security'
                                              WHEN 'Skipped' THEN s.of_now END)
                           OVER (PARTITION BY c.key) AS ended_at
                FROM document_statuses s
                CROSS JOIN LATERAL jsonb_each_text(s.statuses) c
                WHERE s.account_row = a.id
                  AND s.collected_at >= coalesce(complete.ended_at, '-infinity')
                  AND (complete.ended_at IS NULL
                       OR (SELECT count(*) FROM documents n JOIN logs l ON l.document_id = n.id
                           WHERE n.account_id = a.id AND n.collected_at >= complete.ended_at) > 1)
               ) t
          WHERE t.status = 'Fail' AND t.collected_at >= coalesce(t.ended_at, '-infinity')
          GROUP BY t.category) f) failures ON true
UNION ALL
SELECT e.account_id, r.name, NULL, NULL, NULL, '{}', e.account_name, NULL
FROM expected_accounts e
LEFT JOIN LATERAL jsonb_object_keys(e.regions) AS r (name) ON true
WHERE e.state = 'ACTIVE' AND e.gone_at IS NULL
  AND NOT EXISTS (SELECT FROM accounts a
                  WHERE a.account_id = e.account_id AND a.region = coalesce(r.name, a.region));
SELECT describe('freshness', '
Per account and region the last document and the last complete one, how old that is, and the
categories that fail, each with the time since when it does. An account or a region that should
deliver and never has is a row without times; without a region where the list names none

last_document_at      when the last document was collected
last_complete_at      when the last complete document was collected
hours_since_complete  hours since then
failing_since         the categories that fail and since when, as JSON; {} if none does
');

CREATE OR REPLACE VIEW account_overview AS
SELECT o.account_id, coalesce(a.account_name, e.account_name) AS account_name, a.customer_name,
       a.partner_name, a.category, a.account_type, a.account_status, a.account_email, a.joined_timestamp, o.regions,
       (SELECT string_agg(DISTINCT p.name, ', ')
        FROM accounts x
        JOIN product_accounts x_p ON x_p.account_id = x.id AND x_p.gone_at IS NULL
        JOIN products p ON p.id = x_p.product_id
        WHERE x.account_id = o.account_id) AS products,
       CASE WHEN e.gone_at IS NOT NULL THEN 'closed'
            WHEN e.state NOT IN ('ACTIVE', 'EXCLUDED') THEN lower(e.state)
            WHEN o.last_document_at IS NULL THEN 'never'
            WHEN o.last_document_at < now() - interval '2 days' THEN 'silent'
            WHEN failing.categories IS NOT NULL THEN 'failing'
            WHEN coalesce(o.last_complete_at < now() - interval '2 days', true) THEN 'incomplete'
            ELSE 'complete' END AS delivery,
       o.last_document_at, o.last_complete_at, failing.categories AS failing, e.reason
FROM (SELECT f.account_id,
             string_agg(f.region, ', ' ORDER BY f.region)
                 FILTER (WHERE f.last_document_at IS NOT NULL) AS regions,
             (array_agg(f.region ORDER BY f.last_document_at DESC NULLS LAST, f.region))[1]
                 AS newest_region,
             max(f.last_document_at) AS last_document_at,
             CASE WHEN bool_and(f.last_complete_at IS NOT NULL) THEN min(f.last_complete_at) END
                 AS last_complete_at,
             jsonb_agg(f.failing_since) AS failing_since
      FROM (SELECT x.*, max(x.last_document_at) OVER (PARTITION BY x.account_id) AS newest_at
            FROM freshness x) f
      WHERE coalesce(f.last_document_at >= f.newest_at - interval '30 days', f.newest_at IS NULL)
      GROUP BY f.account_id) o
LEFT JOIN accounts a ON a.account_id = o.account_id AND a.region = o.newest_region
LEFT JOIN expected_accounts e ON e.account_id = o.account_id
CROSS JOIN LATERAL (
    SELECT string_agg(DISTINCT c.category, ', ') AS categories
    FROM jsonb_array_elements(o.failing_since) AS e (since)
    CROSS JOIN LATERAL jsonb_object_keys(e.since) AS c (category)) failing;
SELECT describe('account_overview', '
Each account with what is known of it, as its newest document has it, and how well it delivers

partner_name      partner, as set for the sender
category          category, as set for the sender
account_type      what the account is for, such as production, as set for the sender
account_status    state of the account, such as ACTIVE or SUSPENDED
account_email     email address of the root user
joined_timestamp  when the account joined the organization, else when it was created
regions           regions that documents came from within 30 days of the newest, comma-separated
products          products that the account serves, comma-separated
delivery          closed (the account has left), suspended or what else AWS calls it, never (no
                  document, or of past days only), silent (none for two days), failing (a category
                  fails), incomplete (no complete one for two days) or complete
last_document_at  when the newest document was collected
last_complete_at  when the region that is furthest behind was last complete; NULL: one never was
failing           categories that fail in one of the regions, comma-separated
reason            what failed in the newest run over several accounts, or why it left this one out
');

-- Costs belong to the account and come in the documents of its home region. Where that has moved,
-- or producers in several regions tell the same costs, each day counts once: as told by the region
-- that has the newest day, else by the next.
CREATE OR REPLACE VIEW cost_sources AS
SELECT a.id AS account_row, a.account_id,
       first_value(a.account_name) OVER newest_first AS account_name,
       first_value(a.customer_name) OVER newest_first AS customer_name, a.region,
       first_value(s.last_day) OVER newest_first AS last_day,
       array_agg(a.id) OVER (newest_first ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
           AS preferred
FROM accounts a
CROSS JOIN LATERAL (SELECT max(date_from) AS last_day FROM services WHERE account_id = a.id) s
WHERE s.last_day IS NOT NULL
WINDOW newest_first AS (
    PARTITION BY a.account_id ORDER BY s.last_day DESC, a.region);
SELECT describe('cost_sources', '
The accounts and regions whose documents tell costs: one region per account, its home, unless that
has moved

account_row  what account_id is in the tables (accounts.id)
last_day     newest day that costs of the account are known of
preferred    account_row of the regions whose costs count instead on days that they tell;
             NULL: none
');

CREATE OR REPLACE VIEW daily_costs AS
SELECT c.day, o.account_id, o.account_name, o.customer_name, c.service, c.unblended_cost,
       c.currency, c.amortized_cost
FROM cost_sources o
CROSS JOIN LATERAL (
    SELECT s.date_from AS day, s.service, sum(s.cost) AS unblended_cost,
           CASE WHEN bool_and(s.amortized_cost IS NOT NULL) THEN sum(s.amortized_cost) END
               AS amortized_cost,
           max(s.currency) AS currency
    FROM services s
    WHERE s.account_id = o.account_row AND coalesce(s.date_to, s.date_from + 1) = s.date_from + 1
    GROUP BY s.date_from, s.service) c
WHERE o.preferred IS NULL OR NOT EXISTS (
    SELECT FROM services p WHERE p.account_id = ANY (o.preferred) AND p.date_from = c.day);
SELECT describe('daily_costs', '
Cost of each account for each service on each day

day             the day, in UTC
service         service, as Cost Explorer names it
unblended_cost  unblended cost of that day; AWS restates it for some days
amortized_cost  the same with payments for reservations and savings plans spread over the days that
                they are for; NULL: not known, of days that older versions read
');

CREATE OR REPLACE VIEW daily_tag_costs AS
SELECT c.day, a.account_id, a.account_name, a.customer_name, c.tag_key, c.tag_value,
       c.cost AS unblended_cost, c.amortized_cost, c.currency
FROM accounts a
CROSS JOIN LATERAL (
    SELECT t.* FROM cost_by_tag t
    WHERE t.account_id = a.id AND NOT EXISTS (
        SELECT FROM accounts o JOIN cost_by_tag x ON x.account_id = o.id
        WHERE o.account_id = a.account_id AND o.region < a.region
          AND x.day = t.day AND key_text(x.tag_key) = key_text(t.tag_key))) c;
SELECT describe('daily_tag_costs', '
Cost of each account for each value of a cost allocation tag on each day

day             the day, in UTC
tag_key         the tag, such as team
tag_value       the value of the tag; empty: what does not have it
unblended_cost  unblended cost of that day; AWS restates it for some days
amortized_cost  the same with payments for reservations and savings plans spread over the days that
                they are for
');

CREATE OR REPLACE VIEW month_to_date_costs AS
SELECT o.account_id, o.account_name, o.customer_name, m.first_day AS month, o.last_day,
       spent.unblended_cost, read.days AS days_known, coalesce(rest.cost, 0) AS forecast_cost,
       coalesce(rest.days, 0) AS forecast_days,
       CASE WHEN read.days = o.last_day - m.first_day + 1
             AND o.last_day + 1 + coalesce(rest.days, 0) = m.next_first_day
            THEN spent.unblended_cost + coalesce(rest.cost, 0) END AS expected_cost,
       spent.currency
FROM cost_sources o
CROSS JOIN LATERAL (
    SELECT CAST(date_trunc('month', CAST(o.last_day AS timestamp)) AS date) AS first_day,
           CAST(date_trunc('month', CAST(o.last_day AS timestamp)) + interval '1 month' AS date)
               AS next_first_day) m
CROSS JOIN LATERAL (
    SELECT sum(d.unblended_cost) AS unblended_cost, max(d.currency) AS currency
    FROM daily_costs d
    WHERE d.account_id = o.account_id AND d.day >= m.first_day) spent
CROSS JOIN LATERAL (
    SELECT CAST(count(DISTINCT c.period_start) AS integer) AS days
    FROM accounts a JOIN cost_reports c ON c.account_id = a.id
    WHERE a.account_id = o.account_id AND c.period_granularity = 'DAILY'
      AND c.period_start BETWEEN m.first_day AND o.last_day) read
CROSS JOIN LATERAL (
    SELECT round(sum(f.amount * part.days / (f.next_day - f.period_start)), 10) AS cost,
           CAST(sum(part.days) AS integer) AS days
    FROM (SELECT period_start, coalesce(period_end, period_start + 1) AS next_day, amount
          FROM cost_forecasts
          WHERE cost_report_id = (
              SELECT c.id FROM cost_reports c
              WHERE c.account_id = o.account_row AND c.period_start >= m.first_day - 31
                AND EXISTS (SELECT FROM cost_forecasts x WHERE x.cost_report_id = c.id)
              ORDER BY c.period_start DESC LIMIT 1)) f
    CROSS JOIN LATERAL (
        SELECT least(f.next_day, m.next_first_day) - greatest(f.period_start, o.last_day + 1)
            AS days) part
    WHERE part.days > 0) rest
WHERE o.preferred IS NULL;
SELECT describe('month_to_date_costs', '
Cost of each account in the month of its newest day of costs, and the forecast to its end

month           first day of the month
last_day        newest day that costs are known of
unblended_cost  unblended cost from the first of the month to that day
days_known      days of these on which costs were read
forecast_cost   forecast for the rest of the month, by the newest report that has one
forecast_days   days of the rest that the forecast covers
expected_cost   cost of the whole month; NULL unless each day is either known or forecast
');

CREATE OR REPLACE VIEW weekly_cost_changes AS
SELECT o.account_id, o.account_name, o.customer_name, c.service, o.last_day - 6 AS week_start,
       o.last_day + 1 AS week_end, c.unblended_cost, c.previous_cost,
       CASE WHEN read.days = 14 THEN c.unblended_cost - c.previous_cost END AS difference,
       CASE WHEN read.days = 14 AND c.previous_cost <> 0
            THEN round((c.unblended_cost - c.previous_cost) * 100 / abs(c.previous_cost), 1)
            END AS difference_percentage,
       c.currency
FROM cost_sources o
CROSS JOIN LATERAL (
    SELECT d.service, max(d.currency) AS currency,
           coalesce(sum(d.unblended_cost) FILTER (WHERE d.day > o.last_day - 7), 0)
               AS unblended_cost,
           coalesce(sum(d.unblended_cost) FILTER (WHERE d.day <= o.last_day - 7), 0)
               AS previous_cost
    FROM daily_costs d
    WHERE d.account_id = o.account_id AND d.day > o.last_day - 14
    GROUP BY d.service) c
CROSS JOIN LATERAL (
    SELECT CAST(count(DISTINCT r.period_start) AS integer) AS days
    FROM accounts a JOIN cost_reports r ON r.account_id = a.id
    WHERE a.account_id = o.account_id AND r.period_granularity = 'DAILY'
      AND r.period_start > o.last_day - 14 AND r.period_start <= o.last_day) read
WHERE o.preferred IS NULL;
SELECT describe('weekly_cost_changes', '
Cost of each account for each service in its newest seven days of costs, and in the seven before

service                service, as Cost Explorer names it
week_start             first of the newest seven days
week_end               the day after them
unblended_cost         unblended cost of the newest seven days
previous_cost          unblended cost of the seven days before
difference             how much it rose; NULL unless costs of all fourteen days were read
difference_percentage  the difference in percent of the previous cost
');

CREATE OR REPLACE VIEW current_reservations AS
SELECT account_id, account_name, customer_name, region, reservation_type, subscription_id, service,
       description, end_date, last_day, utilization_percentage, idle_monthly_cost, currency
FROM (
    SELECT DISTINCT ON (a.account_id, s.reservation_type, s.subscription_id)
           a.account_id, a.account_name, a.customer_name, s.*
    FROM accounts a
    CROSS JOIN LATERAL (
        SELECT CASE WHEN d.reservation_type LIKE 'Savings%' THEN 'Savings Plan'
                    ELSE 'Reserved Instance' END AS reservation_type,
               d.subscription_id, max(d.date_from) AS last_day,
               (array_agg(d.end_date ORDER BY d.date_to DESC))[1] AS end_date,
               (array_agg(d.state ORDER BY d.date_to DESC))[1] AS state,
               (array_agg(d.region ORDER BY d.date_to DESC))[1] AS region,
               (array_agg(d.service ORDER BY d.date_to DESC))[1] AS service,
               (array_agg(coalesce(d.description, d.instance_type) ORDER BY d.date_to DESC))[1]
                   AS description,
               avg(d.utilization_percentage) AS utilization_percentage,
               round(avg(d.reservation_cost * (100 - d.utilization_percentage))
                     / 100 * 365 / 12, 2) AS idle_monthly_cost,
               max(d.currency) AS currency
        FROM ri_sp_daily_savings d
        WHERE d.account_id = a.id
          AND d.date_to > (SELECT max(x.date_to) - 7 FROM ri_sp_daily_savings x
                           WHERE x.account_id = a.id)
        GROUP BY 1, d.subscription_id) s
    ORDER BY a.account_id, s.reservation_type, s.subscription_id, s.last_day DESC, a.region) newest
WHERE coalesce(end_date > now(), true) AND coalesce(state, 'active') = 'active';
SELECT describe('current_reservations', '
Reservations and savings plans in force, and their use in the newest seven days

region                  region of the reservation or plan
reservation_type        Reserved Instance or Savings Plan
subscription_id         identifier of the reservation or plan
service                 service of the reservation, as Cost Explorer names it
description             what was bought
end_date                when it ends
last_day                newest day that its use is known of
utilization_percentage  used share of what was bought, in percent, on average of the days
idle_monthly_cost       what the unused part costs a month at that rate, upfront payment included
');

CREATE OR REPLACE VIEW savings_opportunities AS
SELECT a.account_id, a.account_name, a.customer_name, a.region,
       'Compute Optimizer' AS source, o.resource_type, o.resource_arn AS resource_id,
       o.resource_name, o.finding,
       nullif(concat_ws(' ', o.recommended_instance_type, o.recommended_volume_type,
           o.recommended_volume_size || ' GiB', o.recommended_memory_size || ' MiB'), '')
           AS recommendation,
       o.estimated_monthly_savings_usd AS monthly_savings, 'USD' AS currency
FROM compute_optimizer o
JOIN accounts a ON a.id = o.account_id
WHERE o.gone_at IS NULL
  AND (o.estimated_monthly_savings_usd > 0 OR (o.estimated_monthly_savings_usd IS NULL
       AND replace(upper(o.finding), '_', '') IN ('OVERPROVISIONED', 'NOTOPTIMIZED')))
UNION ALL
SELECT t.account_id, t.account_name, t.customer_name, NULL, 'Trusted Advisor', NULL, t.check_id,
       t.check_name, t.affected_resources_count || ' resources', NULL, t.potential_savings, 'USD'
FROM (SELECT DISTINCT ON (a.account_id, c.category, c.check_name)
             a.account_id, a.account_name, a.customer_name, c.check_id, c.check_name,
             c.affected_resources_count, c.potential_savings
      FROM trusted_advisor_checks c
      JOIN accounts a ON a.id = c.account_id
      WHERE c.gone_at IS NULL
      ORDER BY a.account_id, c.category, c.check_name, c.timestamp DESC NULLS LAST, a.region) t
WHERE t.potential_savings > 0
UNION ALL
SELECT account_id, account_name, customer_name, region, reservation_type, service,
       subscription_id, description, 'used ' || round(utilization_percentage, 1) || ' %', NULL,
       idle_monthly_cost, currency
FROM current_reservations
WHERE utilization_percentage < 100;
SELECT describe('savings_opportunities', '
What could be saved a month. The sources overlap, so do not add them up: the total of an account,
overlaps removed, is potential_monthly_savings of its newest row in cost_reports that has one

source           Compute Optimizer, Trusted Advisor, Reserved Instance or Savings Plan
resource_type    type of the resource; service of a reservation
resource_id      ARN of the resource; identifier of the check, or of the reservation or plan
resource_name    name of the resource or check; what the reservation or plan is
finding          what is wrong
recommendation   instance type, volume type and size, or memory that is recommended
monthly_savings  what would be saved a month; of a reservation or plan, what its unused part costs
');

-- Each finding is looked up in the other tables by its key. By NOT EXISTS the planner could compare
-- all of an account with all others, where it believes that there are few: while the first document
-- of a large account was loaded, that took count_day longer than the Data API allows.
-- LIKE costs less than the regular expression, which few match.
CREATE OR REPLACE VIEW unsettled_findings AS
SELECT a.id AS account_row, a.account_id, a.account_name, a.customer_name, a.region,
       'Security Hub' AS source,
       f.finding_id, upper(f.severity) AS severity, f.title, f.resource_type, f.resource_id,
       f.created_at AS first_seen_at, f.updated_at, NULL AS fix_available, f.recommendation
FROM findings f
JOIN accounts a ON a.id = f.account_id
WHERE f.record_state IS DISTINCT FROM 'ARCHIVED'
  AND coalesce(f.status, '') NOT IN ('RESOLVED', 'SUPPRESSED')
  AND (SELECT true FROM inspector_findings i
       WHERE i.account_id = f.account_id
         AND key_text(i.finding_arn) = key_text(f.finding_id)) IS NULL
  AND (f.finding_id NOT LIKE '%:guardduty:%'
       OR (SELECT true FROM guard_duty_findings g
           WHERE g.account_id = f.account_id AND key_text(g.finding_id) = key_text(
                 substring(f.finding_id FROM ':guardduty:.*/finding/([^/]+)$'))) IS NULL)
UNION ALL
SELECT a.id, a.account_id, a.account_name, a.customer_name, a.region, 'GuardDuty', g.finding_id,
       CASE WHEN g.severity >= 9 THEN 'CRITICAL' WHEN g.severity >= 7 THEN 'HIGH'
            WHEN g.severity >= 4 THEN 'MEDIUM' WHEN g.severity >= 1 THEN 'LOW' END,
       g.title, g.resource_type, NULL, g.created_at, g.updated_at, NULL, NULL
FROM guard_duty_findings g
JOIN accounts a ON a.id = g.account_id
WHERE g.archived IS DISTINCT FROM true
  AND (SELECT true FROM findings f
       WHERE f.account_id = g.account_id
         AND f.status IN ('RESOLVED', 'SUPPRESSED')
         AND key_text(f.finding_id) = key_text(format(
             'arn:%s:guardduty:%s:%s:detector/%s/finding/%s',
             split_part(a.account_arn, ':', 2), g.region, a.account_id,
             g.detector_id, g.finding_id))) IS NULL
UNION ALL
SELECT a.id, a.account_id, a.account_name, a.customer_name, a.region, 'Inspector', i.finding_arn,
       nullif(upper(i.severity), 'UNTRIAGED'), i.title, i.resource_type, i.resource_id,
       i.first_observed_at, i.updated_at, i.fix_available, NULL
FROM inspector_findings i
JOIN accounts a ON a.id = i.account_id
WHERE (i.status = 'ACTIVE' OR i.status IS NULL)
  AND (SELECT true FROM findings f
       WHERE f.account_id = i.account_id
         AND key_text(f.finding_id) = key_text(i.finding_arn)
         AND f.status IN ('RESOLVED', 'SUPPRESSED')) IS NULL;
SELECT describe('unsettled_findings', '
What open_findings lists, and beside it what Security Hub and GuardDuty have not updated for long

account_row     what account_id is in the tables (accounts.id)
source          Security Hub, GuardDuty or Inspector
finding_id      identifier or ARN of the finding
severity        CRITICAL, HIGH, MEDIUM, LOW or INFORMATIONAL; NULL: not rated yet
title           title
resource_type   type of the resource that it is about
resource_id     identifier of that resource; not known of GuardDuty
first_seen_at   when it was first seen
updated_at      when AWS last updated it
fix_available   YES, NO or PARTIAL by Inspector; NULL: not known
recommendation  what to do, by Security Hub
');

CREATE OR REPLACE VIEW open_findings AS
SELECT account_id, account_name, customer_name, region, source, finding_id, severity,
       CASE severity WHEN 'CRITICAL' THEN 5 WHEN 'HIGH' THEN 4 WHEN 'MEDIUM' THEN 3
                     WHEN 'LOW' THEN 2 WHEN 'INFORMATIONAL' THEN 1 END AS severity_level,
       title, resource_type, resource_id, first_seen_at, updated_at,
       CAST(floor(extract(epoch FROM now() - first_seen_at) / 86400) AS integer) AS age_days,
       fix_available, recommendation
FROM unsettled_findings
WHERE source = 'Inspector' OR coalesce(updated_at > now() - interval '90 days', true);
SELECT describe('open_findings', '
Findings of Security Hub, GuardDuty and Inspector that nobody has settled. Security Hub has copies
of what the other two find: each is listed once, by whom found it, and is settled if its copy is.
What Security Hub and GuardDuty have not updated for 90 days is left out, as AWS deletes it

source          Security Hub, GuardDuty or Inspector
finding_id      identifier or ARN of the finding
severity        CRITICAL, HIGH, MEDIUM, LOW or INFORMATIONAL, of GuardDuty by the ranges of AWS
                (from 9, 7, 4 and 1 on); NULL: not rated yet
severity_level  5 for CRITICAL to 1 for INFORMATIONAL, to sort by
title           title
resource_type   type of the resource that it is about
resource_id     identifier of that resource; not known of GuardDuty
first_seen_at   when it was first seen
updated_at      when AWS last updated it
age_days        whole days since it was first seen
fix_available   YES, NO or PARTIAL by Inspector; NULL: not known
recommendation  what to do, by Security Hub
');

CREATE OR REPLACE VIEW daily_compliance AS
SELECT c.date_from AS day, a.account_id, a.account_name, a.customer_name, a.region,
       c.compliance_score, c.total_rules, c.compliant_rules, c.non_compliant_rules,
       c.curr_compliant AS compliant_resources, c.curr_non_compliant AS non_compliant_resources
FROM config_reports c
JOIN accounts a ON a.id = c.account_id;
SELECT describe('daily_compliance', '
How far each account and region complied with its AWS Config rules on each day

day                      the day, in UTC
compliance_score         compliant rules in percent of those with a result
total_rules              number of rules
compliant_rules          rules that all resources comply with
non_compliant_rules      rules that a resource breaks
compliant_resources      resources that comply with all their rules
non_compliant_resources  resources that break a rule
');

CREATE OR REPLACE VIEW non_compliant_rules AS
SELECT a.account_id, a.account_name, a.customer_name, a.region, r.rule_name, r.conformance_packs,
       r.non_compliant_resources, r.evaluated_at
FROM accounts a
CROSS JOIN LATERAL (
    SELECT n.rule_name, string_agg(DISTINCT n.conformance_pack, ', ') AS conformance_packs,
           count(DISTINCT (n.resource_type, n.resource_id)) AS non_compliant_resources,
           max(n.config_rule_invoked_time) AS evaluated_at
    FROM non_compliant_resources n
    WHERE n.account_id = a.id AND n.gone_at IS NULL
    GROUP BY n.rule_name) r;
SELECT describe('non_compliant_rules', '
The AWS Config rules that resources break now, and how many do

rule_name                name of the rule
conformance_packs        conformance packs that the rule came with, comma-separated
non_compliant_resources  resources that break it
evaluated_at             when the rule was last evaluated
');

CREATE OR REPLACE VIEW security_hygiene AS
SELECT a.account_id, a.account_name, a.customer_name, a.region,
       'key without rotation' AS problem, 'AWS::KMS::Key' AS resource_type,
       coalesce(k.arn, k.key_id) AS resource_id, k.description AS resource_name,
       CAST(NULL AS timestamptz) AS due_at
FROM kms_keys k
JOIN accounts a ON a.id = k.account_id
WHERE k.gone_at IS NULL AND k.key_rotation_enabled = false
  AND coalesce(k.enabled, true) AND k.key_manager IS DISTINCT FROM 'AWS'
UNION ALL
SELECT a.account_id, a.account_name, a.customer_name, a.region, 'secret without rotation',
       'AWS::SecretsManager::Secret', s.arn, s.name, NULL
FROM secrets_manager_secrets s
JOIN accounts a ON a.id = s.account_id
WHERE s.gone_at IS NULL AND s.rotation_enabled = false AND s.deleted_date IS NULL
UNION ALL
(SELECT DISTINCT ON (a.account_id, t.arn)
        a.account_id, a.account_name, a.customer_name, coalesce(t.home_region, a.region),
        'trail that does not log', 'AWS::CloudTrail::Trail', t.arn, t.name, NULL
 FROM cloudtrail_logs t
 JOIN accounts a ON a.id = t.account_id
 WHERE t.gone_at IS NULL AND t.is_logging = false
 ORDER BY a.account_id, t.arn, a.region)
UNION ALL
SELECT a.account_id, max(a.account_name), max(a.customer_name), NULL,
       'account without a trail that logs', 'AWS::CloudTrail::Trail', NULL, NULL, NULL
FROM accounts a
GROUP BY a.account_id
HAVING bool_or((SELECT true FROM listings l
                WHERE l.account_id = a.id AND l.table_name = 'cloudtrail_logs' AND l.scope = ''
                LIMIT 1))
   AND bool_or((SELECT true FROM cloudtrail_logs t
                WHERE t.account_id = a.id AND t.gone_at IS NULL
                  AND t.is_logging IS DISTINCT FROM false LIMIT 1)) IS NULL
UNION ALL
(SELECT DISTINCT ON (a.account_id, w.arn)
        a.account_id, a.account_name, a.customer_name, a.region, 'web ACL without logs',
        'AWS::WAFv2::WebACL', w.arn, w.name, NULL
 FROM waf_rules w
 JOIN accounts a ON a.id = w.account_id
 WHERE w.gone_at IS NULL AND w.logging_enabled = false
 ORDER BY a.account_id, w.arn, a.region)
UNION ALL
SELECT a.account_id, a.account_name, a.customer_name, a.region,
       CASE WHEN c.status = 'EXPIRED' OR c.not_after <= now() THEN 'expired certificate in use'
            ELSE 'certificate in use that expires soon' END,
       'AWS::ACM::Certificate', c.arn, c.domain_name, c.not_after
FROM certificates c
JOIN accounts a ON a.id = c.account_id
WHERE c.gone_at IS NULL AND c.type IS DISTINCT FROM 'PRIVATE' AND c.in_use IS DISTINCT FROM false
  AND (c.status = 'EXPIRED' OR c.not_after < now() + interval '30 days');
SELECT describe('security_hygiene', '
What is not as it should be: customer managed keys and secrets that do not rotate, trails and web
ACLs that do not log, public certificates in use that have expired or do so within 30 days. Where it
is not known whether something rotates or logs, it is left out; a certificate counts as in use
unless AWS says that it is not

region         region of the resource; NULL: the account as a whole
problem        key without rotation, secret without rotation, trail that does not log, account
               without a trail that logs, web ACL without logs, expired certificate in use or
               certificate in use that expires soon
resource_type  type, as AWS Config names it
resource_id    ARN of the resource
resource_name  name or description of the resource
due_at         when the certificate expires or expired
');

CREATE OR REPLACE VIEW upcoming_events AS
SELECT account_id, account_name, customer_name, region, event, due_at,
       CAST(floor(extract(epoch FROM due_at - now()) / 86400) AS integer) AS days_left,
       resource_type, resource_id, resource_name, detail
FROM (
    SELECT a.account_id, a.account_name, a.customer_name, a.region,
           'certificate expires' AS event, c.not_after AS due_at,
           'AWS::ACM::Certificate' AS resource_type, c.arn AS resource_id,
           c.domain_name AS resource_name,
           concat_ws(', ', CASE c.in_use WHEN true THEN 'in use' WHEN false THEN 'not in use' END,
                     CASE c.renewal_eligibility WHEN 'ELIGIBLE' THEN 'renewed by ACM' END)
               AS detail
    FROM certificates c
    JOIN accounts a ON a.id = c.account_id
    WHERE c.gone_at IS NULL AND c.not_after > now() AND c.status IS DISTINCT FROM 'REVOKED'
    UNION ALL
    SELECT a.account_id, a.account_name, a.customer_name, a.region, 'key is deleted',
           k.deletion_date, 'AWS::KMS::Key', coalesce(k.arn, k.key_id), k.description, k.key_state
    FROM kms_keys k
    JOIN accounts a ON a.id = k.account_id
    WHERE k.gone_at IS NULL AND k.deletion_date > now()
    UNION ALL
    (SELECT DISTINCT ON (a.account_id, h.arn)
            a.account_id, a.account_name, a.customer_name, h.region, 'AWS Health event',
            h.start_time, h.service, h.arn, h.event_type_code, h.event_type_category
     FROM health_events h
     JOIN accounts a ON a.id = h.account_id
     WHERE h.status_code IS DISTINCT FROM 'closed'
       AND (h.start_time > now() OR (h.start_time IS NULL AND h.status_code = 'upcoming'))
     ORDER BY a.account_id, h.arn, h.last_updated_time DESC NULLS LAST, a.region)
    UNION ALL
    SELECT account_id, account_name, customer_name, region,
           CASE reservation_type WHEN 'Savings Plan' THEN 'savings plan ends'
                ELSE 'reservation ends' END,
           end_date, service, subscription_id, description, reservation_type
    FROM current_reservations
    WHERE end_date > now()) coming;
SELECT describe('upcoming_events', '
What will happen: certificates that expire, scheduled AWS Health events, keys that will be deleted,
reservations and savings plans that end

event          certificate expires, key is deleted, AWS Health event, reservation ends or
               savings plan ends
due_at         when it happens
days_left      whole days until then
resource_type  type, as AWS Config names it; service of an event or reservation
resource_id    ARN of the resource or event; identifier of the reservation or plan
resource_name  name of the resource; type of the event; what the reservation or plan is
detail         whether a certificate is in use and renewed; state of a key; category of an event
');

CREATE OR REPLACE VIEW missing_patches AS
SELECT a.account_id, a.account_name, a.customer_name, a.region, i.instance_id, i.computer_name,
       i.platform, i.platform_version, p.title, p.classification, p.severity, p.state, p.kb_id,
       p.cve_ids
FROM inventory_patches p
JOIN inventory_instances i ON i.id = p.instance_id
JOIN accounts a ON a.id = i.account_id
WHERE i.gone_at IS NULL AND p.account_id = i.account_id
  AND p.state IN ('Missing', 'MISSING', 'Failed', 'FAILED',
                  'InstalledPendingReboot', 'INSTALLED_PENDING_REBOOT',
                  'AvailableSecurityUpdate', 'AVAILABLE_SECURITY_UPDATE');
SELECT describe('missing_patches', '
Patches that are not in effect on a machine that Systems Manager manages

instance_id       identifier of the machine, such as i-…
computer_name     host name
platform          operating system
platform_version  version of the operating system
title             title of the patch
classification    classification, such as Security
severity          severity, in the words of the vendor
state             Missing, Failed, InstalledPendingReboot or AvailableSecurityUpdate
kb_id             identifier of the patch
cve_ids           vulnerabilities that it removes
');

-- What is in no region, or in another than the document's, may be listed in several documents of an
-- account: it counts once, in the row of its own region, else of the first region.
CREATE OR REPLACE VIEW existing_resources AS
WITH kinds (resource_type, config_type) AS (VALUES
    ('Instance', 'AWS::EC2::Instance'),
    ('Volume', 'AWS::EC2::Volume'),
    ('Subnet', 'AWS::EC2::Subnet'),
    ('DBInstance', 'AWS::RDS::DBInstance'),
    ('Bucket', 'AWS::S3::Bucket'),
    ('LoadBalancer', 'AWS::ElasticLoadBalancingV2::LoadBalancer'),
    ('AutoScalingGroup', 'AWS::AutoScaling::AutoScalingGroup'),
    ('Function', 'AWS::Lambda::Function'))
SELECT a.account_id, a.account_name, a.customer_name, s.region,
       coalesce(k.config_type, s.service_name || ' ' || s.resource_type) AS resource_type,
       s.resource_id, s.resource_name, s.state, s.availability_zone, s.vpc_id,
       coalesce(s.instance_type, s.instance_class) AS instance_type, s.engine, s.multi_az,
       s.size_gb, s.volume_type, s.type, s.scheme, s.creation_date, s.service_name AS source
FROM service_resources s
JOIN accounts a ON a.id = s.account_id
LEFT JOIN kinds k ON k.resource_type = s.resource_type
WHERE s.gone_at IS NULL AND (s.region = a.region OR (
    SELECT true FROM accounts o JOIN service_resources x ON x.account_id = o.id
    WHERE o.account_id = a.account_id AND o.id <> a.id AND x.gone_at IS NULL
      AND key_text(x.service_name) = key_text(s.service_name)
      AND key_text(x.resource_type) = key_text(s.resource_type)
      AND key_text(x.resource_id) = key_text(s.resource_id)
      AND (x.region = o.region OR o.region < a.region)
    LIMIT 1) IS NULL)
UNION ALL
SELECT a.account_id, a.account_name, a.customer_name, c.region, c.resource_type, c.resource_id,
       c.resource_name, c.state, c.availability_zone, c.vpc_id,
       coalesce(c.instance_type, c.instance_class), c.engine, c.multi_az, c.size_gb,
       c.volume_type, c.type, c.scheme, c.creation_date, 'AWS Config'
FROM config_inventory c
JOIN accounts a ON a.id = c.account_id
LEFT JOIN (
    SELECT DISTINCT o.account_id, k.config_type, x.region
    FROM service_resources x
    JOIN accounts o ON o.id = x.account_id
    JOIN kinds k ON k.resource_type = x.resource_type
    WHERE x.gone_at IS NULL) listed
  ON listed.account_id = a.account_id AND listed.config_type = c.resource_type
 AND listed.region = c.region
WHERE c.gone_at IS NULL AND listed.config_type IS NULL AND (c.region = a.region OR (
    SELECT true FROM accounts o JOIN config_inventory x ON x.account_id = o.id
    WHERE o.account_id = a.account_id AND o.id <> a.id AND x.gone_at IS NULL
      AND key_text(x.resource_type) = key_text(c.resource_type)
      AND key_text(x.resource_id) = key_text(c.resource_id)
      AND key_text(coalesce(x.region, '')) = key_text(coalesce(c.region, ''))
      AND (x.region = o.region OR o.region < a.region)
    LIMIT 1) IS NULL);
SELECT describe('existing_resources', '
Resources that exist: those that their services list, and of other types all that AWS Config knows.
Where a service lists a type in a region, that counts, and what AWS Config has of it is left out

region             region of the resource, or global
resource_type      type, as AWS Config names it
resource_id        identifier, in the words of the source
resource_name      name
state              state, in the words of the service
availability_zone  availability zones, comma-separated
vpc_id             VPC that it is in
instance_type      EC2 instance type, or DB instance class
engine             database engine; runtime of a function
multi_az           whether a database has a standby in another zone
size_gb            size in GiB
volume_type        type of volume or storage, such as gp3
type               type of a load balancer; package type of a function
scheme             internet-facing or internal
creation_date      when it was created
source             the service that lists it, or AWS Config
');

-- An account's newest changes are found by its index; all of them are read account by account.
CREATE OR REPLACE VIEW recent_changes AS
SELECT c.created_at AS changed_at, a.account_id, a.account_name, a.customer_name, a.region,
       c.table_name, c.change, c.name, c.changed_columns, c.old_values, c.new_values, c.row_key, c.row_id,
       d.period_start AS day, d.collected_at, d.key AS document_key
FROM accounts a
CROSS JOIN LATERAL (
    SELECT x.*,
           coalesce(nullif((SELECT string_agg(k.value, ' ' ORDER BY k.key)
                            FROM jsonb_each_text(x.row_key) k), ''), x.table_name) AS name,
           (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(x.new_values) k)
               AS changed_columns
    FROM changes x
    WHERE x.account_id = a.id) c
CROSS JOIN LATERAL (
    SELECT period_start, collected_at, key FROM documents WHERE id = c.document_id LIMIT 1) d;
SELECT describe('recent_changes', '
What each load changed, with the document that brought it: what is new, gone, back, or otherwise
than before

changed_at       when the change was loaded
region           region of the document that brought it
table_name       the table that was changed
change           created, updated, gone (no longer listed) or returned (listed again)
name             what the row is about: the values of row_key, in a text
changed_columns  the columns that changed, comma-separated
old_values       these columns with their values before, as JSON; long ones are cut off
new_values       the same columns with their values after, as JSON
row_key          what identifies the row, as JSON
row_id           id of the row in the table; a row of a period may be deleted since
day              first day that the document covers
collected_at     when the document was collected: the change came after the one before it
document_key     S3 key of the document
');

CREATE OR REPLACE VIEW daily_measures AS
SELECT c.day, a.account_id, a.account_name, a.customer_name, a.region, c.measure, c.dimension,
       c.value
FROM accounts a
CROSS JOIN LATERAL (
    SELECT x.day, x.measure, x.dimension, x.value FROM daily_counts x WHERE x.account_id = a.id) c;
SELECT describe('daily_measures', '
How much of something each account had on each day, for trends. An account of which a category could
not be read has no row of it that day: compare only days on which the same accounts tell

day        the day, in UTC
region     region that was counted
measure    what is counted: open_findings, non_compliant_rules, non_compliant_resources,
           keys_without_rotation, secrets_without_rotation, expired_certificates,
           managed_instances, missing_patches, resources, recorded_resources, advisor_warnings,
           open_health_events or monthly_savings (US dollars)
dimension  severity of findings and patches, type of resources, status of advisor checks, category
           of health events; else empty
value      the number or the amount
');

CREATE OR REPLACE VIEW fixed_findings AS
SELECT account_id, account_name, customer_name, region, source, finding_id, severity, title,
       resource_type, resource_id, first_seen_at, fixed_at,
       round(CAST(extract(epoch FROM fixed_at - first_seen_at) / 86400 AS numeric), 1)
           AS days_to_fix
FROM (
    SELECT a.account_id, a.account_name, a.customer_name, a.region, 'Security Hub' AS source,
           f.finding_id, upper(f.severity) AS severity, f.title, f.resource_type, f.resource_id,
           f.created_at AS first_seen_at, f.updated_at AS fixed_at
    FROM findings f
    JOIN accounts a ON a.id = f.account_id
    WHERE (f.status = 'RESOLVED' OR f.record_state = 'ARCHIVED')
      AND f.status IS DISTINCT FROM 'SUPPRESSED'
      AND NOT EXISTS (SELECT FROM inspector_findings i
                      WHERE i.account_id = f.account_id
                        AND key_text(i.finding_arn) = key_text(f.finding_id))
    UNION ALL
    SELECT a.account_id, a.account_name, a.customer_name, a.region, 'Inspector', i.finding_arn,
           nullif(upper(i.severity), 'UNTRIAGED'), i.title, i.resource_type, i.resource_id,
           i.first_observed_at, i.updated_at
    FROM inspector_findings i
    JOIN accounts a ON a.id = i.account_id
    WHERE i.status = 'CLOSED') fixed
WHERE fixed_at >= first_seen_at;
SELECT describe('fixed_findings', '
Findings that were resolved, archived or closed, and how long that took. What was suppressed is not
fixed and is left out

source         Security Hub or Inspector
finding_id     identifier or ARN of the finding
severity       CRITICAL, HIGH, MEDIUM, LOW or INFORMATIONAL; NULL: not rated
title          title
resource_type  type of the resource that it is about
resource_id    identifier of that resource
first_seen_at  when it was first seen
fixed_at       when AWS last updated it, which is when it was closed
days_to_fix    days between the two
');

-- count_day: writes daily_counts for the day of a document, once all of it is loaded; returns how
-- many rows differ from what was there. Not for a document of a past day, nor where a newer one has
-- been loaded: what exists is not of its day. What comes from outside is bounded in number and
-- length. Times are told by the document, so that loading it again another year gives the same.
CREATE OR REPLACE FUNCTION count_day(document BIGINT) RETURNS INTEGER LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS '
DECLARE
    d documents;
    l logs;
    written INTEGER;
BEGIN
    SELECT x.* INTO d FROM documents x
    WHERE x.id = document AND x.with_meta
      AND x.collected_at < (x.period_end + 1)::timestamp AT TIME ZONE ''UTC''
      AND NOT EXISTS (SELECT FROM documents n
                      WHERE n.account_id = x.account_id AND n.period_end >= x.period_end
                        AND n.day_order > x.day_order AND n.with_meta AND n.loaded_at IS NOT NULL);
    SELECT x.* INTO l FROM logs x WHERE x.document_id = d.id ORDER BY x.id DESC LIMIT 1;
    IF NOT FOUND THEN RETURN 0; END IF;
    WITH told (measure) AS MATERIALIZED (
        SELECT m.measure FROM (VALUES
            (''open_findings'', l.security_status),
            (''keys_without_rotation'', l.security_status),
            (''secrets_without_rotation'', l.security_status),
            (''expired_certificates'', l.security_status),
            (''non_compliant_rules'', l.config_status),
            (''non_compliant_resources'', l.config_status),
            (''managed_instances'', l.inventory_status),
            (''missing_patches'', l.inventory_status),
            (''resources'', l.service_resources_status),
            (''recorded_resources'', l.config_inventory_status),
            (''advisor_warnings'', l.trusted_advisor_status),
            (''open_health_events'', l.health_status),
            (''monthly_savings'', l.compute_optimizer_status)) m (measure, status)
        WHERE m.status = ''Pass''),
    counted (measure, dimension, value) AS MATERIALIZED (
        SELECT ''open_findings'', s.severity, coalesce(f.number, 0)
        FROM unnest(ARRAY[''CRITICAL'', ''HIGH'', ''MEDIUM'', ''LOW'', ''INFORMATIONAL'', ''UNRATED''])
            AS s (severity)
        LEFT JOIN (SELECT coalesce(u.severity, ''UNRATED'') AS severity, count(*) AS number
                   FROM unsettled_findings u
                   WHERE u.account_row = d.account_id
                     AND (u.source = ''Inspector''
                          OR coalesce(u.updated_at > d.collected_at - interval ''90 days'', true))
                   GROUP BY 1) f ON f.severity = s.severity
        UNION ALL
        SELECT ''keys_without_rotation'', '''', count(*) FROM kms_keys k
        WHERE k.account_id = d.account_id AND k.gone_at IS NULL AND k.key_rotation_enabled = false
          AND coalesce(k.enabled, true) AND k.key_manager IS DISTINCT FROM ''AWS''
        UNION ALL
        SELECT ''secrets_without_rotation'', '''', count(*) FROM secrets_manager_secrets s
        WHERE s.account_id = d.account_id AND s.gone_at IS NULL AND s.rotation_enabled = false
          AND s.deleted_date IS NULL
        UNION ALL
        SELECT ''expired_certificates'', '''', count(*) FROM certificates c
        WHERE c.account_id = d.account_id AND c.gone_at IS NULL
          AND c.type IS DISTINCT FROM ''PRIVATE'' AND c.in_use IS DISTINCT FROM false
          AND (c.status = ''EXPIRED'' OR c.not_after <= d.collected_at)
        UNION ALL
        SELECT m.measure, '''', CASE m.measure WHEN ''non_compliant_rules'' THEN n.rules
                                             ELSE n.resources END
        FROM (SELECT count(DISTINCT x.rule_name) AS rules,
                     count(DISTINCT (x.resource_type, x.resource_id)) AS resources
              FROM non_compliant_resources x
              WHERE x.account_id = d.account_id AND x.gone_at IS NULL) n
        CROSS JOIN (VALUES (''non_compliant_rules''), (''non_compliant_resources'')) m (measure)
        UNION ALL
        SELECT ''managed_instances'', '''', count(*) FROM inventory_instances i
        WHERE i.account_id = d.account_id AND i.gone_at IS NULL
        UNION ALL
        (SELECT ''missing_patches'', left(coalesce(p.severity, ''''), 100), count(*)
         FROM inventory_patches p JOIN inventory_instances i ON i.id = p.instance_id
         WHERE p.account_id = d.account_id AND i.gone_at IS NULL
           AND p.state IN (''Missing'', ''MISSING'', ''Failed'', ''FAILED'',
                           ''InstalledPendingReboot'', ''INSTALLED_PENDING_REBOOT'',
                           ''AvailableSecurityUpdate'', ''AVAILABLE_SECURITY_UPDATE'')
         GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT 100)
        UNION ALL
        (SELECT ''resources'', left(r.service_name || '' '' || r.resource_type, 100), count(*)
         FROM service_resources r WHERE r.account_id = d.account_id AND r.gone_at IS NULL
         GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT 100)
        UNION ALL
        SELECT ''recorded_resources'', '''', count(*) FROM config_inventory r
        WHERE r.account_id = d.account_id AND r.gone_at IS NULL
        UNION ALL
        (SELECT ''advisor_warnings'', left(coalesce(c.severity, ''''), 100), count(*)
         FROM trusted_advisor_checks c WHERE c.account_id = d.account_id AND c.gone_at IS NULL
         GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT 100)
        UNION ALL
        (SELECT ''open_health_events'', left(coalesce(h.event_type_category, ''''), 100), count(*)
         FROM health_events h
         WHERE h.account_id = d.account_id AND h.status_code IS DISTINCT FROM ''closed''
         GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT 100)
        UNION ALL
        SELECT ''monthly_savings'', '''', coalesce(sum(o.estimated_monthly_savings_usd), 0)
        FROM compute_optimizer o WHERE o.account_id = d.account_id AND o.gone_at IS NULL),
    lost AS (
        DELETE FROM daily_counts t USING told
        WHERE t.account_id = d.account_id AND t.measure = told.measure
          AND t.day = d.period_end - 1 AND NOT EXISTS (
              SELECT FROM counted c WHERE c.measure = t.measure AND c.dimension = t.dimension)
        RETURNING 1),
    kept AS (
        INSERT INTO daily_counts (account_id, day, measure, dimension, value, document_id)
        SELECT d.account_id, d.period_end - 1, c.measure, c.dimension, c.value, d.id
        FROM counted c JOIN told ON told.measure = c.measure
        ON CONFLICT (account_id, measure, day, dimension) DO UPDATE
            SET value = excluded.value, document_id = excluded.document_id
            WHERE daily_counts.value IS DISTINCT FROM excluded.value
        RETURNING 1)
    SELECT (SELECT count(*) FROM lost) + (SELECT count(*) FROM kept) INTO written;
    RETURN written;
END';

-- without_rows: the steps of a document (`run_steps`) without their rows, which most queries need not:
-- each query that is given them copies several megabytes several times.
CREATE OR REPLACE FUNCTION without_rows(steps JSONB) RETURNS JSONB LANGUAGE plpgsql AS '
DECLARE
    heads JSONB := ''[]'';
BEGIN
    FOR place IN 0 .. jsonb_array_length(steps) - 1 LOOP
        heads := heads || jsonb_build_array((steps -> place) - ''rows'');
    END LOOP;
    RETURN heads;
END';

-- has_additions: whether people have added a trigger or rule to the schema public, which may make other
-- rows of those that are written, or none.
CREATE OR REPLACE FUNCTION has_additions() RETURNS BOOLEAN LANGUAGE plpgsql AS '
BEGIN
    RETURN EXISTS (
            SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            WHERE NOT t.tgisinternal AND c.relnamespace = ''public''::regnamespace)
        OR EXISTS (
            SELECT FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
            WHERE r.rulename <> ''_RETURN'' AND c.relnamespace = ''public''::regnamespace);
END';

-- layout_of: a number for a table and its columns: who puts others in their place writes no row.
CREATE OR REPLACE FUNCTION layout_of(name TEXT) RETURNS BIGINT STABLE LANGUAGE plpgsql AS '
BEGIN
    RETURN (SELECT hashtextextended(string_agg(
                concat_ws('' '', x.attrelid, x.attnum, x.attname, x.atttypid, x.atttypmod), '',''
                ORDER BY x.attnum), 0)
            FROM pg_attribute x
            WHERE x.attrelid = CAST(format(''public.%I'', name) AS regclass) AND x.attnum > 0);
END';

-- has_key: whether a table has the index that refuses a second row with one key.
CREATE OR REPLACE FUNCTION has_key(name TEXT) RETURNS BOOLEAN LANGUAGE plpgsql AS '
BEGIN
    RETURN EXISTS (
        SELECT FROM pg_index i
        WHERE i.indexrelid = to_regclass(format(''public.%I'', name || ''_key''))
          AND i.indrelid = to_regclass(format(''public.%I'', name))
          AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL);
END';

-- run_steps: runs statements of the receiver one after another, with the rights of its caller. The
-- Data API takes one statement per call and some 20 ms for it; a document has a statement per table.
-- The planner cannot know how many rows come: it is told to look each up by an index. A sort may take
-- 32 MB: for the rows of a request PostgreSQL's default of 4 MB is too little. Each statement is
-- given the id of its document, its own rows and scopes, and of the document's row its account and what
-- says which of two documents is the newer. Steps name statements by their digests in `statements`:
--   sql           what is to be done; answers created, updated, gone. Receivers of version 1.0, and
--                 trials, have the text itself here, which has spaces
--   insert        the same for the first document of a new account, if no two rows have one key. Not
--                 used if the table lacks the index that refuses such rows (`has_key`), or if schema
--                 public has triggers or rules of others: they may have made rows of the account
--   unchanged     the same for the newest document of an account, where all rows are as they were
--   versions      sums up all that is stored of a complete list. With `digest`, that of the list's text,
--                 it is noted (table lists) once the rows are found to be stored so, or are inserted.
--                 If both are as they were noted, the list of the newest document is not compared
--   note          after `sql`, notes which chunks of the rows (`chunks`) are stored as they are there;
--                 only for the newest document
--   without_meta  needed only if the account has documents without meta in any of its regions. That
--                 is asked when its turn comes, under the lock that the step before has taken
-- `insert` and `unchanged` answer how many rows were created, the order of the listing and its scopes.
-- If they answer nothing, or a newer listing is noted, whose document was deleted by hand, `sql` is run;
-- also where PostgreSQL refuses rows of `insert`, as they have one key. That has a subtransaction.
-- A step without `sql` passes over rows that are as they were noted; if they are not, all is undone.
DROP FUNCTION IF EXISTS run_steps(INTEGER, JSONB);
CREATE OR REPLACE FUNCTION run_steps(document BIGINT, steps JSONB)
RETURNS TABLE (created BIGINT, updated BIGINT, gone BIGINT) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET work_mem = '32MB' AS '
DECLARE
    heads JSONB := without_rows(steps);
    step JSONB;
    step_rows JSONB;
    place BIGINT;
    own documents;
    is_first BOOLEAN;
    is_newest BOOLEAN;
    usual TEXT;
    shorter TEXT;
    note TEXT;
    versions TEXT;
    noted NUMERIC;
    stored NUMERIC;
    number BIGINT;
    listing_key TEXT;
    scopes TEXT[];
BEGIN
    SELECT * INTO own FROM documents d WHERE d.id = document;
    is_first := own.loaded_at IS NULL
        AND NOT EXISTS (SELECT FROM documents d
                        WHERE d.account_id = own.account_id AND d.id <> own.id)
        AND EXISTS (SELECT FROM accounts a WHERE a.id = own.account_id AND a.created_at = now());
    IF is_first THEN
        is_first := NOT has_additions();
    END IF;
    -- An order begins with the day or time by which an index finds those that may be as new.
    is_newest := own.loaded_at IS NULL
        AND NOT EXISTS (SELECT FROM documents d
                        WHERE d.account_id = own.account_id AND NOT d.with_meta)
        AND NOT EXISTS (SELECT FROM documents d
                        WHERE d.account_id = own.account_id AND d.id <> own.id
                          AND d.period_end >= CAST(left(own.day_order, 10) AS date)
                          AND d.day_order >= own.day_order)
        AND NOT EXISTS (SELECT FROM documents d
                        WHERE d.account_id = own.account_id AND d.id <> own.id
                          AND d.collected_at >= own.collected_at AND d.time_order >= own.time_order);
    FOR place, step, usual, shorter, note, versions, noted IN
        SELECT s.place - 1, s.step, coalesce(k.sql, CASE WHEN s.step ->> ''sql'' LIKE ''% %''
                                                    THEN s.step ->> ''sql'' END),
               o.sql, n.sql, v.sql, l.versions
        FROM jsonb_array_elements(heads) WITH ORDINALITY AS s (step, place)
        LEFT JOIN statements k ON k.digest = s.step ->> ''sql''
        LEFT JOIN statements n ON n.digest = s.step ->> ''note''
        LEFT JOIN statements o ON o.digest = s.step ->> (
            CASE WHEN is_first THEN ''insert'' WHEN is_newest THEN ''unchanged'' END)
        LEFT JOIN statements v ON v.digest = s.step ->> ''versions'' AND o.sql IS NOT NULL
        LEFT JOIN lists l ON l.account_id = own.account_id AND l.table_name = s.step ->> ''table''
         AND l.digest = s.step ->> ''digest''
        ORDER BY s.place LOOP
        number := NULL;
        scopes := NULL;
        stored := NULL;
        step_rows := steps #> ARRAY[CAST(place AS text), ''rows''];
        IF noted IS NOT NULL AND versions IS NOT NULL THEN
            EXECUTE versions INTO stored
                USING document, step_rows, step -> ''scopes'', own.account_id;
        END IF;
        IF noted = stored THEN
            number := 0;
            listing_key := own.day_order;
            scopes := ARRAY[''''];
        ELSIF step ? ''without_meta'' THEN
            IF NOT EXISTS (SELECT FROM accounts a JOIN accounts o ON o.account_id = a.account_id
                           JOIN documents d ON d.account_id = o.id AND NOT d.with_meta
                           WHERE a.id = own.account_id) THEN
                number := 0;
            END IF;
        ELSIF shorter IS NOT NULL AND is_first AND has_key(step ->> ''table'') THEN
            BEGIN
                EXECUTE shorter INTO number, listing_key, scopes
                    USING document, step_rows, step -> ''scopes'', own.account_id, own.day_order,
                          own.time_order, own.collected_at, own.with_meta, step -> ''chunks'';
            EXCEPTION WHEN integrity_constraint_violation THEN
                -- Two rows have one key, and perhaps the one that would not stay breaks a constraint.
                NULL;
            END;
            IF number < jsonb_array_length(step_rows) THEN
                RAISE serialization_failure USING MESSAGE = ''a trigger or rule was added meanwhile'';
            END IF;
        ELSIF shorter IS NOT NULL AND NOT is_first THEN
            -- In one statement, so that what is noted is the sum of the very rows that were compared.
            EXECUTE CASE WHEN versions IS NULL THEN shorter
                         ELSE format(''SELECT o.*, (%s) FROM (%s) o'', versions, shorter) END
                INTO number, listing_key, scopes, stored
                USING document, step_rows, step -> ''scopes'', own.account_id, own.day_order,
                      own.time_order, own.collected_at, own.with_meta, step -> ''chunks'';
        END IF;
        IF cardinality(scopes) > 0 THEN
            INSERT INTO listings (
                account_id, table_name, scope, sort_key, document_id, collected_at)
            SELECT own.account_id, step ->> ''table'', s.scope, listing_key, own.id, own.collected_at
            FROM unnest(scopes) AS s (scope)
            WHERE NOT EXISTS (
                SELECT FROM unnest(scopes) AS o (scope) JOIN listings l
                  ON l.account_id = own.account_id AND l.table_name = step ->> ''table''
                 AND l.scope = o.scope AND l.sort_key > listing_key)
            ON CONFLICT DO NOTHING;
            IF is_first AND NOT FOUND THEN
                RAISE EXCEPTION ''a row of listings was not written'';
            END IF;
            number := CASE WHEN FOUND THEN number END;
        END IF;
        IF number IS NOT NULL AND versions IS NOT NULL AND (noted = stored) IS NOT TRUE THEN
            IF is_first THEN
                EXECUTE versions INTO stored
                    USING document, step_rows, step -> ''scopes'', own.account_id;
            END IF;
            INSERT INTO lists AS l (account_id, table_name, digest, versions)
            VALUES (own.account_id, step ->> ''table'', step ->> ''digest'', stored)
            ON CONFLICT (account_id, table_name) DO UPDATE
                SET digest = excluded.digest, versions = excluded.versions;
        END IF;
        IF number IS NULL AND NOT step ? ''sql'' THEN
            RAISE EXCEPTION ''rows that were passed over are not as they were''
                USING ERRCODE = ''OB001'';
        ELSIF number IS NULL AND usual IS NULL OR step ? ''note'' AND note IS NULL THEN
            RAISE serialization_failure USING MESSAGE = ''a statement was forgotten meanwhile'';
        ELSIF number IS NULL THEN
            RETURN QUERY EXECUTE usual
                USING document, step_rows, step -> ''scopes'', own.account_id, own.day_order,
                      own.time_order, own.collected_at, own.with_meta, step -> ''chunks'';
            IF is_newest AND note IS NOT NULL THEN
                EXECUTE note
                    USING document, step_rows, step -> ''scopes'', own.account_id,
                          own.day_order, own.time_order, own.collected_at, own.with_meta,
                          step -> ''chunks'';
            END IF;
        ELSE
            RETURN QUERY VALUES (number, CAST(0 AS bigint), CAST(0 AS bigint));
        END IF;
    END LOOP;
    -- What is made on a table from now on waits until this ends, so no trigger changed what was noted.
    IF is_first AND has_additions() THEN
        DELETE FROM lists l WHERE l.account_id = own.account_id;
    END IF;
END';

-- link_products: gives an account the products that the hub names for it, and no others but those that
-- people gave it. The hub also decides how they are written, and no account does any more. Where it
-- names none any more, the account belongs to the product None until its next document.
CREATE OR REPLACE FUNCTION link_products(account TEXT) RETURNS INTEGER LANGUAGE plpgsql AS '
DECLARE
    -- lower() is not that of Python for each letter.
    named TEXT[] := (SELECT ARRAY(SELECT DISTINCT ON (lower(n.name)) n.name
                                  FROM unnest(string_to_array(t.products, '','')) AS n (name)
                                  ORDER BY lower(n.name), n.name)
                     FROM account_tags t WHERE t.account_id = account AND t.products IS NOT NULL);
    linked INTEGER;
    ended INTEGER;
BEGIN
    -- A conflict would lock the row until this transaction ends, and documents of others would wait.
    INSERT INTO products AS p (name) SELECT n.name FROM unnest(named) AS n (name)
    WHERE NOT EXISTS (SELECT FROM products o
                      WHERE key_text(lower(o.name)) = key_text(lower(n.name))
                        AND o.name = n.name AND o.document_id IS NULL)
    ORDER BY lower(n.name)
    ON CONFLICT (key_text(lower(name))) DO UPDATE
    SET name = excluded.name, document_id = NULL, updated_at = now()
    WHERE p.name <> excluded.name OR p.document_id IS NOT NULL;
    INSERT INTO product_accounts AS l (product_id, account_id, from_tags)
    SELECT p.id, a.id, true FROM accounts a CROSS JOIN unnest(named) AS n (name)
    JOIN products p ON key_text(lower(p.name)) = key_text(lower(n.name))
    WHERE a.account_id = account
    ON CONFLICT (account_id, product_id) DO UPDATE SET from_tags = true, document_id = NULL
    WHERE NOT l.from_tags AND l.document_id IS NOT NULL;
    GET DIAGNOSTICS linked = ROW_COUNT;
    DELETE FROM product_accounts l USING accounts a, products p
    WHERE a.account_id = account AND l.account_id = a.id AND p.id = l.product_id
      AND (l.from_tags OR (named IS NOT NULL AND l.document_id IS NOT NULL))
      AND NOT EXISTS (SELECT FROM unnest(named) AS n (name)
                      WHERE key_text(lower(n.name)) = key_text(lower(p.name)));
    GET DIAGNOSTICS ended = ROW_COUNT;
    IF ended > 0 AND named IS NULL THEN
        INSERT INTO products (name) VALUES (''None'') ON CONFLICT (key_text(lower(name))) DO NOTHING;
        INSERT INTO product_accounts (product_id, account_id, document_id)
        SELECT p.id, a.id, a.document_id
        FROM accounts a JOIN products p ON key_text(lower(p.name)) = ''none''
        WHERE a.account_id = account
          AND NOT EXISTS (SELECT FROM product_accounts l WHERE l.account_id = a.id);
    END IF;
    RETURN linked + ended;
END';

-- take_tags: gives the rows of an account the tags that the hub has for it, and where it has none
-- those of its document; returns how many rows changed. A document that is being loaded is waited for.
CREATE OR REPLACE FUNCTION take_tags(account TEXT) RETURNS INTEGER LANGUAGE plpgsql AS '
DECLARE
    changed INTEGER;
BEGIN
    PERFORM FROM accounts a WHERE a.account_id = account ORDER BY a.id FOR UPDATE;
    UPDATE accounts a SET customer_name = n.customer_name, partner_name = n.partner_name,
           category = n.category, account_type = n.account_type, updated_at = now()
    FROM (SELECT x.id,
                 coalesce(t.customer_name, d.customer_name, ''None'') AS customer_name,
                 coalesce(t.partner_name, d.partner_name, ''None'') AS partner_name,
                 coalesce(t.category, d.category, ''None'') AS category,
                 coalesce(t.account_type, d.account_type, ''None'') AS account_type
          FROM accounts x LEFT JOIN account_tags t ON t.account_id = x.account_id
          CROSS JOIN LATERAL jsonb_to_record(coalesce(x.document_tags, ''{}'')) AS d (
              customer_name text, partner_name text, category text, account_type text)
          WHERE x.account_id = account) n
    WHERE a.id = n.id
      AND (a.customer_name, a.partner_name, a.category, a.account_type)
          IS DISTINCT FROM (n.customer_name, n.partner_name, n.category, n.account_type);
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed + link_products(account);
END';

-- rewritten: of the tables of which this transaction changed, deleted or added rows about days that are
-- over 35 days old, the counters with their number beside. AWS restates costs for some weeks; what is
-- older should not change any more, so it is told. A day that is new as a whole is a backfill, and is
-- not in changes; a row that is added to a known day may be less than nothing.
CREATE OR REPLACE FUNCTION rewritten(counted JSONB, account BIGINT, document BIGINT)
RETURNS JSONB LANGUAGE sql AS '
    SELECT coalesce(jsonb_object_agg(
        old.table_name, coalesce(counted -> old.table_name, ''{}'')
            || jsonb_build_object(''REWRITTEN'', old.number)), ''{}'')
    FROM (
        SELECT c.table_name, count(*) AS number FROM changes c
        WHERE c.account_id = account AND c.created_at = now() AND c.document_id = document
          AND c.change IN (''created'', ''updated'', ''gone'')
          AND coalesce(c.row_key ->> ''date_from'', c.row_key ->> ''report_period_start'',
                       c.row_key ->> ''period_start'', c.row_key ->> ''day'',
                       c.row_key ->> ''date_to'')
              < to_char(now() AT TIME ZONE ''UTC'' - INTERVAL ''35 days'', ''YYYY-MM-DD'')
        GROUP BY c.table_name) old';

-- load_document: loads a document in one call, or one of the parts of a larger one, which share a
-- transaction. By itself it is all or nothing, and it may be called again when its answer was lost:
-- what a receiver of the same version has loaded before is told and left, unless `again` is true.
--   document  the columns of its row in documents; account and region; again; most: the number of
--             documents of an account and region in 24 hours from which on others wait
--   steps     digests of statements, with their rows, for run_steps; `table` is whose counters they
--             go to, and `total` how many rows of the document they are about
--   begins    take the account's lock, so that documents of one account and region are loaded one
--             after another, and make the document's row. Where the same bytes come again of one
--             that does not say its age, it says that things are so again: the row's times follow
--   ends      note that the document is loaded
-- Products that a document names are left out where the hub names those of its account.
-- Where the table statements lacks some of them, it does nothing and answers with their digests,
-- separated by commas, in `unknown`. Else it answers with the counters so far, or where there were too
-- many documents, with how many and no counters. An account is counted as created, and then not as
-- updated. What is updated beside the rows that are counted already (total 0) is not skipped; what is
-- created beside the rows of a step, as it follows from them, counts as one of them. A trigger, rule or
-- policy may leave rows out without an error: a step tells so by a number below 0.
DO 'BEGIN
    IF NOT EXISTS (SELECT FROM pg_proc WHERE proname = ''load_document''
                   AND pronamespace = ''public''::regnamespace AND ''unknown'' = ANY (proargnames)) THEN
        DROP FUNCTION IF EXISTS load_document(JSONB, JSONB, BOOLEAN, BOOLEAN);
    END IF;
END';
CREATE OR REPLACE FUNCTION load_document(document JSONB, steps JSONB, begins BOOLEAN, ends BOOLEAN)
RETURNS TABLE (loaded_before BOOLEAN, today BIGINT, counted JSONB, unknown TEXT)
LANGUAGE plpgsql AS '
DECLARE
    own documents := jsonb_populate_record(CAST(NULL AS documents), document);
    known documents;
    heads JSONB := without_rows(steps);
    new_accounts BIGINT := 0;
    done JSONB;
    swallowed RECORD;
BEGIN
    loaded_before := false;
    today := 0;
    SELECT string_agg(DISTINCT n.digest, '','') INTO unknown
    FROM jsonb_array_elements(heads) AS s (step)
    CROSS JOIN LATERAL (VALUES (s.step ->> ''sql''), (s.step ->> ''insert''),
                               (s.step ->> ''unchanged''), (s.step ->> ''note''),
                               (s.step ->> ''versions'')) AS n (digest)
    WHERE n.digest NOT LIKE ''% %'' AND NOT EXISTS (
        SELECT FROM statements k WHERE k.digest = n.digest);
    IF unknown IS NOT NULL THEN
        RETURN NEXT;
        RETURN;
    END IF;
    IF begins THEN
        INSERT INTO accounts (account_id, region)
        VALUES (document ->> ''account'', document ->> ''region'')
        ON CONFLICT (account_id, region) DO UPDATE SET csp = accounts.csp WHERE false;
        GET DIAGNOSTICS new_accounts = ROW_COUNT;
    END IF;
    SELECT a.id INTO own.account_id FROM accounts a
    WHERE a.account_id = document ->> ''account'' AND a.region = document ->> ''region'';
    IF own.account_id IS NULL THEN
        RAISE EXCEPTION ''a row of accounts was not written'';
    END IF;
    SELECT * INTO known FROM documents d
    WHERE d.account_id = own.account_id AND d.bucket = own.bucket AND d.key = own.key
      AND d.etag = own.etag;
    IF begins AND NOT CAST(document ->> ''again'' AS boolean) THEN
        IF known.loaded_by = own.loaded_by AND (known.collected_at <> known.last_modified
                                                OR known.last_modified >= own.last_modified) THEN
            loaded_before := true;
            counted := known.counters;
            RETURN NEXT;
            RETURN;
        END IF;
        SELECT count(*) INTO today FROM documents d
        WHERE d.account_id = own.account_id AND d.created_at > now() - INTERVAL ''1 day'';
        IF today >= CAST(document ->> ''most'' AS bigint) THEN
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    IF begins THEN
        IF known.id IS NOT NULL AND own.collected_at <> own.last_modified THEN
            own.last_modified := known.last_modified;
            own.period_start := known.period_start;
            own.period_end := known.period_end;
            own.collected_at := known.collected_at;
            own.day_order := known.day_order;
            own.time_order := known.time_order;
        END IF;
        INSERT INTO documents (account_id, bucket, key, etag, size_bytes, last_modified, format,
                               sender, with_meta, interval, period_start, period_end, collected_at,
                               day_order, time_order, counters)
        VALUES (own.account_id, own.bucket, own.key, own.etag, own.size_bytes, own.last_modified,
                own.format, own.sender, own.with_meta, own.interval, own.period_start,
                own.period_end, own.collected_at, own.day_order, own.time_order, ''{}'')
        ON CONFLICT (account_id, bucket, key, etag) DO UPDATE
        SET size_bytes = excluded.size_bytes, counters = excluded.counters,
            last_modified = greatest(documents.last_modified, excluded.last_modified),
            period_start = greatest(documents.period_start, excluded.period_start),
            period_end = greatest(documents.period_end, excluded.period_end),
            collected_at = greatest(documents.collected_at, excluded.collected_at),
            day_order = greatest(documents.day_order, excluded.day_order),
            time_order = greatest(documents.time_order, excluded.time_order)
        RETURNING * INTO known;
        IF NOT FOUND THEN
            RAISE EXCEPTION ''a row of documents was not written'';
        END IF;
    END IF;
    IF EXISTS (SELECT FROM account_tags t
               WHERE t.account_id = document ->> ''account'' AND t.products IS NOT NULL) THEN
        IF begins THEN
            PERFORM link_products(document ->> ''account'');
        END IF;
        SELECT coalesce(jsonb_agg(
            CASE WHEN s.step ->> ''table'' IN (''products'', ''product_accounts'')
                 THEN jsonb_set(s.step, ''{rows}'', ''[]'') ELSE s.step END ORDER BY s.place), ''[]'')
        INTO steps FROM jsonb_array_elements(steps) WITH ORDINALITY AS s (step, place);
    END IF;
    SELECT jsonb_agg(jsonb_build_object(
               ''name'', r.step ->> ''table'', ''updated'', r.updated, ''gone'', r.gone,
               ''created'', CASE WHEN r.step ->> ''table'' = ''accounts'' AND r.created >= 0
                              THEN new_accounts ELSE r.created END,
               ''total'', greatest(CAST(r.step ->> ''total'' AS bigint), r.created)))
    INTO done
    FROM ROWS FROM (jsonb_array_elements(heads), run_steps(known.id, steps))
        AS r (step, created, updated, gone);
    SELECT d.name, d.created INTO swallowed
    FROM jsonb_to_recordset(done) AS d (name text, created bigint) WHERE d.created < 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION ''% rows of % were not written'', - swallowed.created, swallowed.name;
    END IF;
    SELECT coalesce(jsonb_object_agg(name, jsonb_build_object(
               ''CREATED'', created, ''UPDATED'', least(updated, total - created),
               ''SKIPPED'', greatest(total - created - updated, 0), ''GONE'', gone,
               ''TOTAL'', total)), ''{}'')
    INTO counted
    FROM (
        SELECT name, sum(created) AS created, sum(updated) AS updated, sum(gone) AS gone,
               sum(total) AS total
        FROM (
            SELECT d.name, d.created, d.updated, d.gone, d.total
            FROM jsonb_to_recordset(done)
                AS d (name text, created bigint, updated bigint, gone bigint, total bigint)
            UNION ALL
            SELECT c.key, CAST(c.value ->> ''CREATED'' AS bigint),
                   CAST(c.value ->> ''UPDATED'' AS bigint), CAST(c.value ->> ''GONE'' AS bigint),
                   CAST(c.value ->> ''TOTAL'' AS bigint)
            FROM jsonb_each(known.counters) c) each
        GROUP BY name) named;
    IF ends THEN
        counted := counted || rewritten(counted, own.account_id, known.id);
    END IF;
    UPDATE documents SET counters = counted,
           loaded_at = CASE WHEN ends THEN now() ELSE loaded_at END,
           loaded_by = CASE WHEN ends THEN own.loaded_by ELSE loaded_by END
    WHERE id = known.id;
    IF NOT FOUND THEN
        RAISE EXCEPTION ''a row of documents was not written'';
    END IF;
    IF ends THEN
        PERFORM count_day(known.id);
    END IF;
    RETURN NEXT;
END';

-- schema_version: which schema this is. Raised by one in each release that changes tables, columns or
-- functions. The receiver compares it with its own schema.sql: an older database is to be brought up
-- to date first, a newer one works and is never made older. It stands last: what was broken off does
-- not count.
CREATE OR REPLACE FUNCTION schema_version() RETURNS INTEGER IMMUTABLE LANGUAGE sql AS 'SELECT 2';
