#!/usr/bin/env bash
# deploy.sh hub | spokes | organization | schema | status | destroy-hub | destroy-spokes: see README.md
# beside it.
#
# Runs the AWS CLI with whatever credentials and region it is configured with. Settings come from
# the environment; a setting of a stack or StackSet that is not given keeps its value from the last
# time, or has the template's default the first time. One that is given empty becomes empty.
set -euo pipefail
cd "$(dirname "$0")/.."

NAME=${NAME:-observability}
PYTHON=${BIN:-build/deploy/bin}/python
CALL_AS=${CALL_AS:-DELEGATED_ADMIN}
export AWS_PAGER=""

[ -x "$PYTHON" ] || { echo "there is no $PYTHON: use make, such as make deploy-hub" >&2; exit 2; }

say() { printf '%s\n' "$*" >&2; }

need() {
    for setting in "$@"; do
        [ -n "${!setting:-}" ] || { say "$setting is not set; see deploy/README.md"; exit 2; }
    done
}

# fits SETTING PATTERN MEANING: end with one line if it is given and does not match
fits() {
    [[ -z ${!1+given} || ${!1} =~ ^($2)$ ]] && return
    say "$1='${!1}' is not $3; see deploy/README.md"
    exit 2
}

confirm() {
    local answer
    [ "${YES:-}" = 1 ] && return
    read -rp "$1 [y/N] " answer || answer=
    [ "$answer" = y ] || { say "nothing more was done; YES=1 answers for you"; exit 1; }
}

# Bash does not end a command substitution at its first failure, so what is used in one says
# `|| return`.

# output STACK KEY: an output of a stack
output() {
    local value
    value=$(aws cloudformation describe-stacks --stack-name "$1" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue") || return
    case $value in
        "" | None) say "the stack $1 has no output $2"; return 1 ;;
        *) printf '%s\n' "$value" ;;
    esac
}

# made STACK: its name if it has been made, else nothing; a change set that waits makes none
made() {
    aws cloudformation describe-stacks --output text \
        --query "Stacks[?StackName=='$1' && StackStatus!='REVIEW_IN_PROGRESS'].StackName"
}

# given NAME=SETTING ...: those pairs whose setting is set, if only to nothing, as NAME=VALUE
given() {
    for pair in "$@"; do
        local setting=${pair#*=}
        [ -z "${!setting+given}" ] || printf '%s=%s\n' "${pair%%=*}" "${!setting}"
    done
}

# stack NAME TEMPLATE PARAMETER=VALUE ...: make a change set, show it, execute it
stack() {
    local name=$1 template=$2 change_set said status
    shift 2
    say "== $name"
    said=$(aws cloudformation deploy --stack-name "$name" --template-file "$template" \
        --capabilities CAPABILITY_NAMED_IAM --no-execute-changeset --no-fail-on-empty-changeset \
        ${1+--parameter-overrides} "$@")
    change_set=$(printf '%s\n' "$said" | grep -o 'arn:[^ ]*changeSet/[^ ]*' || true)
    [ -n "$change_set" ] || { say "nothing changes"; return; }
    aws cloudformation describe-change-set --change-set-name "$change_set" --output table \
        --query 'Changes[].ResourceChange.[Action,Replacement,LogicalResourceId,ResourceType]'
    confirm "Execute these changes of $name?"
    status=$(aws cloudformation describe-stacks --stack-name "$name" --output text \
        --query 'Stacks[0].StackStatus')
    aws cloudformation execute-change-set --change-set-name "$change_set"
    if [ "$status" = REVIEW_IN_PROGRESS ]; then
        aws cloudformation wait stack-create-complete --stack-name "$name"
    else
        aws cloudformation wait stack-update-complete --stack-name "$name"
    fi
}

# package NAME IN_USE: build it, put it where functions read it, and print its key and version there.
# What is there is never put again: the bucket refuses it. With ROLL_BACK=1 the one before IN_USE.
package() {
    local bucket hash key version
    bucket=$(output "$NAME-packages" BucketName) || return
    if [ "${ROLL_BACK:-}" = 1 ]; then
        earlier "$bucket" "$1" "${2:-}"
        return
    fi
    hash=$("$PYTHON" deploy/build.py) || return
    hash=$(printf '%s\n' "$hash" | grep "/$1.zip$" | cut -c1-16)
    key="$1-$hash.zip"
    version=$(aws s3api list-object-versions --bucket "$bucket" --prefix "$key" --output text \
        --query 'Versions[?IsLatest].VersionId') || return
    case $version in
        "" | None)
            version=$(aws s3api put-object --bucket "$bucket" --key "$key" --body "build/$1.zip" \
                --if-none-match '*' --query VersionId --output text) || return ;;
    esac
    printf '%s %s\n' "$key" "$version"
}

# earlier BUCKET NAME IN_USE: key and version of the package that was put there before that one
earlier() {
    local found
    found=$(aws s3api list-object-versions --bucket "$1" --prefix "$2-" --output text \
        --query 'sort_by(Versions, &LastModified)[].[Key, VersionId]') || return
    found=$(awk -v used="$3" '$1 == used { print before } { before = $1 " " $2 }' <<<"$found")
    [ -n "$found" ] || { say "there is no package of the $2 before ${3:-the first}"; return 1; }
    printf '%s\n' "$found"
}

# newest VERSION ...: the newest of them
newest() { printf '%s\n' "$@" | sort -V | tail -1; }

# engine: the version of the database, as it is, as the template has it, or as ENGINE_VERSION says:
# AWS raises it by itself, and nothing can lower it
engine() {
    local there ours
    ours=$(sed -n '/^  EngineVersion:/,/Default/s/.*Default: "\(.*\)"/\1/p' deploy/hub.yaml)
    there=$(aws rds describe-db-clusters --output text \
        --query "DBClusters[?DBClusterIdentifier=='$NAME'].EngineVersion") || return
    newest "$ours" "${ENGINE_VERSION:-$ours}" "${there:-$ours}"
}

# protect STACK: CloudFormation then refuses to delete it
protect() {
    aws cloudformation update-termination-protection --stack-name "$1" \
        --enable-termination-protection >/dev/null
}

# schema: apply schema.sql, which only ever adds to what is there
schema() {
    say "== schema"
    local bucket cluster database secret
    bucket=$(output "$NAME" BucketName)
    cluster=$(output "$NAME" ClusterArn)
    database=$(output "$NAME" DatabaseName)
    secret=$(output "$NAME" MasterSecretArn)
    "$PYTHON" receiver.py --init-schema --patience 300 --bucket "$bucket" \
        --cluster-arn "$cluster" --database "$database" --secret-arn "$secret"
}

hub() {
    local before built key version owner packages database used
    before=$(made "$NAME")
    [ -n "$before" ] || need ORGANIZATION_ID
    [ -z "${VPC:-}" ] || need SUBNETS
    if [ -n "$before" ] && [ -n "${VPC+given}" ] && [ "$VPC" != "$(parameter "$NAME" VpcId)" ]; then
        say "VPC: a database cannot move to another network; make a new hub from a snapshot, see"
        say "deploy/README.md"
        exit 2
    fi
    owner=$(given OrganizationId=ORGANIZATION_ID)
    # Unquoted, here and below: each pair is a word, and none of these values has a space.
    # shellcheck disable=SC2086
    stack "$NAME-packages" deploy/artifacts.yaml "SystemName=$NAME" $owner
    protect "$NAME-packages"
    packages=$(output "$NAME-packages" BucketName)
    [ "${ROLL_BACK:-}" != 1 ] || used=$(parameter "$NAME" CodeKey)
    built=$(package receiver "${used:-}")
    read -r key version <<<"$built"
    database=$(engine)
    # An old receiver works with a new schema, a new one not with an old one.
    [ -z "$before" ] || [ "${ROLL_BACK:-}" = 1 ] || schema
    # shellcheck disable=SC2046,SC2086
    stack "$NAME" deploy/hub.yaml "SystemName=$NAME" "CodeBucket=$packages" "CodeKey=$key" \
        "CodeVersion=$version" "EngineVersion=$database" $owner \
        $(given AlarmEmail=EMAIL MaximumCapacity=MAXIMUM_CAPACITY \
            PauseAfterSeconds=PAUSE_AFTER LoadedDays=LOADED_DAYS BackupDays=BACKUP_DAYS \
            Report=REPORT ReportDays=REPORT_DAYS SendersMayPut=SENDERS_MAY_PUT BreakGlassRoleArn=BREAK_GLASS_ROLE \
            ReceiverInEcs=RECEIVER_IN_ECS ReplicaBucketArn=REPLICA_BUCKET \
            ReplicaKeyArn=REPLICA_KEY SnapshotArn=SNAPSHOT SKIP=SKIP ONLY=ONLY VpcId=VPC \
            SubnetIds=SUBNETS ClientSecurityGroupId=CLIENT_SECURITY_GROUP \
            BackupAccountId=BACKUP_ACCOUNT)
    protect "$NAME"
    [ -n "$before" ] || schema
    alarms
    backups
}

# alarms: who watches the hub; a stack of its own, since a template has 51,200 bytes at most
alarms() {
    local pair settings=("SystemName=$NAME")
    for pair in ReceiverName ReceiverLog RotatorName QueueName DeadLettersName BucketName NoticesArn \
        DocumentsKeyArn DatabaseKeyArn; do
        settings+=("$pair=$(output "$NAME" "$pair")")
    done
    while IFS= read -r pair; do
        settings+=("$pair")
    done < <(given BudgetEmail=EMAIL MonthlyBudget=MONTHLY_BUDGET BucketGigabytes=BUCKET_GIGABYTES)
    stack "$NAME-alarms" deploy/alarms.yaml "${settings[@]}"
    protect "$NAME-alarms"
}

# parameters [NAME ...]: those of the StackSet as a JSON list, which leaves commas alone; of these
# names, those that are not given keep their value
parameters() {
    local bucket built kms_key packages
    packages=$(output "$NAME-packages" BucketName) || return
    bucket=$(output "$NAME" BucketName) || return
    kms_key=$(output "$NAME" DocumentsKeyArn) || return
    built=$(package sender "$(had CodeKey)") || return
    {
        printf '%s\n' "SystemName=$NAME" "BucketName=$bucket" "DocumentsKeyArn=$kms_key" \
            "CodeBucket=$packages" "CodeKey=${built% *}" "CodeVersion=${built#* }"
        given CUSTOMER=CUSTOMER PARTNER=PARTNER CATEGORY=CATEGORY ENVIRONMENT=ENVIRONMENT \
            PRODUCT=PRODUCT REGIONS=REGIONS ReservedCapacity=RESERVED_CAPACITY \
            CostTags=COST_TAGS AtOnce=AT_ONCE SKIP=SKIP ONLY=ONLY \
            NoPersonalData=NO_PERSONAL_DATA
    } | "$PYTHON" -c 'import json, sys
given = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin)
kept = [name for name in sys.argv[1:] if name not in given]
print(json.dumps([{"ParameterKey": name, "ParameterValue": given[name]} for name in given]
    + [{"ParameterKey": name, "UsePreviousValue": True} for name in kept]))' "$@"
}

HELD="" # what the StackSet was given the last time: a name, a tab and a value a line

# had PARAMETER: its value the last time
had() {
    awk -F '\t' -v name="$1" '$1 == name && $2 != "None" { print $2 }' <<<"$HELD"
}

# narrowed: the template of the sender whose role may not do what is switched off, now or, where
# nothing is said of it, the last time
narrowed() {
    mkdir -p build
    SKIP=${SKIP-$(had SKIP)} ONLY=${ONLY-$(had ONLY)} \
        NO_PERSONAL_DATA=${NO_PERSONAL_DATA-$(had NoPersonalData)} \
        "$PYTHON" deploy/policies.py deploy/spoke.yaml > build/spoke.yaml
}

# keepable: names of its parameters that the template still has; only these have a value that an
# update can keep
keepable() {
    sed -n '/^Parameters:/,/^Resources:/s/^  \([A-Za-z]*\):$/\1/p' deploy/spoke.yaml |
        grep -Fx "$(cut -f 1 <<<"$HELD")" || true
}

spokes() {
    local set=$NAME-spokes before kept region wanted
    before=$(aws cloudformation list-stack-sets --status ACTIVE --call-as "$CALL_AS" \
        --query "Summaries[?StackSetName=='$set'].StackSetName" --output text)
    if [ -n "$before" ]; then
        HELD=$(aws cloudformation describe-stack-set --stack-set-name "$set" --call-as "$CALL_AS" \
            --query 'StackSet.Parameters[].[ParameterKey, ParameterValue]' --output text)
        kept=$(keepable)
    else
        need OU CUSTOMER
    fi
    region=$(aws configure get region || true)
    region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$region}}
    # Unquoted: each name is a word.
    # shellcheck disable=SC2086
    wanted=$(parameters ${kept:-})
    narrowed
    local how=(--stack-set-name "$set" --template-body file://build/spoke.yaml
        --capabilities CAPABILITY_NAMED_IAM --parameters "$wanted" --call-as "$CALL_AS")
    confirm "Deploy the sender to all accounts of ${OU:-the StackSet $set}?"
    local tolerated=1 pace
    [ -z "$before" ] || tolerated=$(tolerable "$set")
    pace=(--operation-preferences "FailureToleranceCount=$tolerated,MaxConcurrentPercentage=25")
    if [ -n "$before" ]; then
        finished update-stack-set "${how[@]}" "${pace[@]}"
    else
        aws cloudformation create-stack-set "${how[@]}" --permission-model SERVICE_MANAGED \
            --auto-deployment Enabled=true,RetainStacksOnAccountRemoval=false >/dev/null
    fi
    [ -n "${OU:-}" ] || return 0
    finished create-stack-instances --stack-set-name "$set" --call-as "$CALL_AS" \
        --deployment-targets "OrganizationalUnitIds=$OU" --regions "$region" "${pace[@]}"
}

# tolerable STACKSET: how many accounts may fail before the others are left alone: a tenth of them,
# and one at least. CloudFormation rounds a percentage down: of nine accounts, 10 % is none.
tolerable() {
    local accounts
    accounts=$(aws cloudformation list-stack-instances --stack-set-name "$1" --call-as "$CALL_AS" \
        --query 'Summaries[].Account' --output text) || return
    accounts=$(printf '%s' "$accounts" | wc -w)
    printf '%s\n' $((accounts < 20 ? 1 : accounts / 10))
}

# finished OPERATION ...: start an operation of the StackSet and wait for its end; where it fails,
# say in which accounts and why
finished() {
    local operation status=RUNNING
    operation=$(aws cloudformation "$@" --query OperationId --output text)
    while [ "$status" = RUNNING ] || [ "$status" = QUEUED ]; do
        status=$(aws cloudformation describe-stack-set-operation --call-as "$CALL_AS" \
            --stack-set-name "$NAME-spokes" --operation-id "$operation" \
            --query StackSetOperation.Status --output text)
        say "$1: $status"
        case $status in RUNNING | QUEUED) sleep 10 ;; esac
    done
    [ "$status" = SUCCEEDED ] && return
    say "$1: not done in these accounts:"
    aws cloudformation list-stack-set-operation-results --call-as "$CALL_AS" \
        --stack-set-name "$NAME-spokes" --operation-id "$operation" --output text \
        --query "Summaries[?Status!='SUCCEEDED'].[Account,Region,Status,StatusReason]" >&2
    return 1
}

organization() {
    fits TASK_CPU '1024|2048|4096' "1024, 2048 or 4096"
    case ${TASK_CPU:-} in
        2048) fits TASK_MEMORY '4096|8192' "4096 or 8192, as TASK_CPU=2048 needs" ;;
        4096) fits TASK_MEMORY '8192' "8192, as TASK_CPU=4096 needs" ;;
        *) fits TASK_MEMORY '2048|4096|8192' "2048, 4096 or 8192" ;;
    esac
    fits SCHEDULE 'cron\([^ ]+( [^ ]+){5}\)|rate\([1-9][0-9]* (minute|hour|day)s?\)' \
        "cron(...) with six fields or rate(...)"
    local before bucket kms_key notices pair settings
    before=$(made "$NAME-organization")
    [ -n "$before" ] || need ORGANIZATION_ID EXTERNAL_ID IMAGE VPC SUBNETS
    bucket=$(output "$NAME" BucketName)
    kms_key=$(output "$NAME" DocumentsKeyArn)
    notices=$(output "$NAME" NoticesArn)
    settings=("SystemName=$NAME" "BucketName=$bucket" "DocumentsKeyArn=$kms_key" "NoticesArn=$notices")
    # One line is one setting: tags have spaces.
    while IFS= read -r pair; do
        settings+=("$pair")
    done < <(given OrganizationId=ORGANIZATION_ID ExternalId=EXTERNAL_ID ImageUri=IMAGE VpcId=VPC \
        SubnetIds=SUBNETS PublicAddress=PUBLIC_ADDRESS RoleName=ROLE_NAME IncludeUnits=INCLUDE_OU \
        ExcludeUnits=EXCLUDE_OU ExcludeAccounts=EXCLUDE_ACCOUNTS CUSTOMER=CUSTOMER \
        PARTNER=PARTNER CATEGORY=CATEGORY ENVIRONMENT=ENVIRONMENT PRODUCT=PRODUCT \
        REGIONS=REGIONS ReservedCapacity=RESERVED_CAPACITY CostTags=COST_TAGS AtOnce=AT_ONCE \
        TimeLimitSeconds=TIME_LIMIT SKIP=SKIP ONLY=ONLY NoPersonalData=NO_PERSONAL_DATA \
        Cpu=TASK_CPU Memory=TASK_MEMORY Schedule=SCHEDULE)
    stack "$NAME-organization" deploy/organization.yaml "${settings[@]}"
    protect "$NAME-organization"
    [ "$(parameter "$NAME" SendersMayPut)" != true ] || say "Members may still put documents of \
their own, before the task does. If none has a sender: make deploy-hub SENDERS_MAY_PUT=false"
}

# backups: copies of the database in another account, where one is named
backups() {
    local account pair settings
    account=$(parameter "$NAME" BackupAccountId)
    [[ $account =~ ^[0-9]+$ ]] || return 0
    settings=("SystemName=$NAME" "BackupAccountId=$account")
    for pair in ClusterArn DatabaseKeyArn NoticesArn; do
        settings+=("$pair=$(output "$NAME" "$pair")")
    done
    while IFS= read -r pair; do
        settings+=("$pair")
    done < <(given CopyDays=COPY_DAYS)
    stack "$NAME-backup" deploy/backup.yaml "${settings[@]}"
    protect "$NAME-backup"
}

# parameter STACK NAME: its value; nothing where the stack has no such parameter
parameter() {
    aws cloudformation describe-stacks --stack-name "$1" --output text \
        --query "Stacks[0].Parameters[?ParameterKey=='$2'].ParameterValue"
}

destroy_spokes() {
    need OU
    local region
    region=$(aws configure get region || true)
    confirm "Remove the sender from all accounts of $OU? What it has sent stays in the hub."
    finished delete-stack-instances --stack-set-name "$NAME-spokes" --call-as "$CALL_AS" \
        --deployment-targets "OrganizationalUnitIds=$OU" --no-retain-stacks \
        --regions "${AWS_REGION:-${AWS_DEFAULT_REGION:-$region}}"
    aws cloudformation delete-stack-set --stack-set-name "$NAME-spokes" --call-as "$CALL_AS"
}

destroy_hub() {
    local bucket
    bucket=$(output "$NAME" BucketName)
    say "The stack $NAME goes. Its bucket $bucket, its keys and logs, and a last snapshot of the"
    say "database stay. With PURGE=1 the bucket goes, too, with every document in it."
    confirm "Remove the hub?"
    aws cloudformation update-termination-protection --stack-name "$NAME" \
        --no-enable-termination-protection >/dev/null
    local name
    for name in "$NAME-alarms" "$NAME-backup"; do
        [ -n "$(made "$name")" ] || continue
        aws cloudformation update-termination-protection --stack-name "$name" \
            --no-enable-termination-protection >/dev/null
        aws cloudformation delete-stack --stack-name "$name"
        aws cloudformation wait stack-delete-complete --stack-name "$name"
    done
    aws cloudformation deploy --stack-name "$NAME" --template-file deploy/hub.yaml \
        --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset \
        --parameter-overrides ProtectDatabase=false
    aws cloudformation delete-stack --stack-name "$NAME"
    aws cloudformation wait stack-delete-complete --stack-name "$NAME"
    if [ "${PURGE:-}" = 1 ]; then
        confirm "Delete $bucket and every version of every document in it?"
        # It lets nobody else delete versions, if it is still there.
        aws s3api delete-bucket-policy --bucket "$bucket"
        "$PYTHON" -c 'import sys, boto3
bucket = boto3.resource("s3").Bucket(sys.argv[1])
bucket.object_versions.delete()
bucket.delete()' "$bucket"
    fi
}

case ${1:-} in
    hub) hub ;;
    spokes) spokes ;;
    organization) organization ;;
    schema) schema ;;
    destroy-hub) destroy_hub ;;
    destroy-spokes) destroy_spokes ;;
    status) "$PYTHON" deploy/status.py "$NAME" ;;
    *)
        say "usage: deploy.sh hub | spokes | organization | schema | status | destroy-hub |" \
            "destroy-spokes"
        exit 2
        ;;
esac
