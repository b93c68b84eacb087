"""Settings of the sender: variables, flags, days."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

import sender
from observability.collectors import CATEGORIES
from observability.errors import UsageError
from observability.settings.sender import arguments, read_settings
from tests.cli.commands import COMPLETE, Patch
from tests.conftest import REGIONS

HOME, OTHER = REGIONS
A_DAY = "2026-01-31"
DAY = timedelta(days=1)


# Reserved capacity


@pytest.mark.parametrize("value", ["1", "true", "0", "no", ""])
def test_the_environment_turns_reserved_capacity_on(value: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESERVED_CAPACITY", value)
        settings = read_settings({"region": HOME}, CATEGORIES, uploads=False)
    assert settings.reserved_capacity is (value in ("1", "true"))


# Time


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (None, "2024-01-01", "--start"),
        ("2024-02-30", None, "--start"),
        ("2024-01-01", "2024-13-01", "--end"),
        ("01.02.2024", None, "YYYY-MM-DD"),
        ("2024-01-02", "2024-01-01", "after"),
        ("2024-01-01", "2999-01-01", "not over"),
        ("2999-01-01", None, "not over"),
    ],
)
def test_days_that_make_no_sense_are_refused(
    start: str | None, end: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        days_of(start, end)


def days_of(start: str | None, end: str | None) -> tuple[date | None, date | None]:
    """The days that a sender with these flags reads."""
    settings = read_settings({"region": HOME, "start": start, "end": end}, (), uploads=False)
    return settings.start, settings.end


def test_days_to_read_include_both_ends_and_end_yesterday_by_default() -> None:
    leap, march = date(2024, 2, 29), date(2024, 3, 1)
    assert days_of("2024-02-29", "2024-03-01") == (leap, march)
    assert days_of("2024-02-29", "2024-02-29") == (leap, leap)
    assert days_of(None, None) == (None, None)
    before = datetime.now(UTC).date() - DAY
    assert days_of("2024-02-29", None)[1] in (before, before + DAY)


# Without AWS

MEANT = [
    ("ACCOUNTS", "--accounts", ()),
    ("REGIONS", "--regions", ()),
    ("INCLUDE_OU", "--include-ou", ("--organization",)),
    ("EXCLUDE_OU", "--exclude-ou", ("--organization",)),
    ("EXCLUDE_ACCOUNTS", "--exclude-accounts", ("--organization",)),
]
"""Variable and flag of each list that says what is read, and what it goes with."""


def refusal(flags: Sequence[str], environment: Mapping[str, str], monkeypatch: Patch) -> str:
    """Why the sender refuses these settings before it asks AWS anything."""
    for name, value in {**COMPLETE, **environment}.items():
        monkeypatch.setenv(name, value)
    story = io.StringIO()
    with contextlib.redirect_stderr(story):
        assert sender.main(flags) == 2
    [line] = story.getvalue().splitlines()
    return line


@pytest.mark.parametrize("nothing", [",", " , ,", "  "])
@pytest.mark.parametrize(("variable", "flag", "others"), MEANT)
def test_a_list_that_names_nothing_is_no_list_of_everything(
    variable: str, flag: str, others: tuple[str, ...], nothing: str, monkeypatch: Patch
) -> None:
    told = "is empty: name something or leave it out"
    assert refusal((*others, flag, nothing), {}, monkeypatch) == f"sender.py: {flag} {told}"
    assert refusal((*others, flag, "x", flag, ""), {}, monkeypatch) == f"sender.py: {flag} {told}"
    assert refusal(others, {variable: nothing}, monkeypatch) == f"sender.py: {variable} {told}"
    monkeypatch.delenv(variable)
    assert "--only is empty" in refusal(("--only", nothing), {}, monkeypatch)


KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
KMS = "arn:aws-us-gov:kms:us-gov-west-1:111122223333"


@pytest.mark.parametrize(
    "key", [KEY, f"mrk-{KEY.replace('-', '')}", "alias/team/a_b-1", f"{KMS}:key/{KEY}",
            f"{KMS}:alias/documents"],
)  # fmt: skip
def test_a_key_may_be_named_in_each_way_that_s3_knows(key: str, monkeypatch: Patch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    assert read_settings({"kms_key": key}, CATEGORIES).kms_key == key


@pytest.mark.parametrize(
    ("variable", "flag", "wrong", "told"),
    [
        *(
            ("ANALYTICS_KMS_KEY", "--kms-key", wrong, "a KMS key's id, alias/ and its alias, or")
            for wrong in ("nosuch", KEY[:-1], f"{KMS}:key/nosuch", f"{KMS}:{KEY}",
                          "arn:aws:s3:::bucket", f"{KEY}\n", "alias/", "alias/á")
        ),
        *(
            ("ROLE_NAME", "--role-name", wrong, "the role's name (with its path, if it has one), ")
            for wrong in ("arn:aws:iam::111122223333:role/Reader", "team/", "te am/Reader",
                          "a" * 65, "team//Reader", "Le\u00fcser")
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_a_key_or_a_role_is_told_before_anything_is_read(
    variable: str, flag: str, wrong: str, told: str, monkeypatch: Patch
) -> None:
    line = f"sender.py: {variable} ({flag}): {wrong!r} cannot be one; give {told}"
    assert refusal(("--organization", flag, wrong), {}, monkeypatch).startswith(line)
    assert refusal(("--organization",), {variable: wrong}, monkeypatch).startswith(line)


@pytest.mark.parametrize(("variable", "flag"), [held[:2] for held in MEANT[2:4]])
def test_units_are_of_an_organization(variable: str, flag: str, monkeypatch: Patch) -> None:
    told = f"sender.py: {variable} ({flag}) is for ORGANIZATION (--organization) only"
    assert refusal((flag, "ou-abcd-11111111"), {}, monkeypatch) == told
    assert refusal((), {variable: "ou-abcd-11111111"}, monkeypatch) == told


def test_a_flag_that_is_given_again_adds_to_what_it_names(monkeypatch: Patch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    flags = ["--organization"]
    for flag, first, second in (
        ("--regions", HOME, "eu-west-1"),
        ("--include-ou", "ou-abcd-11111111", "ou-abcd-22222222,ou-abcd-33333333"),
        ("--exclude-ou", "ou-abcd-44444444", "ou-abcd-55555555"),
        ("--exclude-accounts", "111122223333", "222233334444"),
        ("--only", "cost", "health"),
        ("--product", "Web", "Tills"),
    ):
        flags += [flag, first, flag, second]
    settings = read_settings(vars(arguments().parse_args(flags)), CATEGORIES)
    assert settings.regions == (HOME, "eu-west-1")
    assert settings.include_ou == ("ou-abcd-11111111", "ou-abcd-22222222", "ou-abcd-33333333")
    assert settings.exclude_ou == ("ou-abcd-44444444", "ou-abcd-55555555")
    assert settings.exclude_accounts == ("111122223333", "222233334444")
    assert settings.only == {"cost", "health"}
    assert settings.product == "Web,Tills"
    named = arguments().parse_args(["--accounts", "1" * 12, "--accounts", "2" * 12])
    found = read_settings(vars(named), CATEGORIES).accounts
    assert [target.account for target in found] == ["1" * 12, "2" * 12]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--check", "--resume"), "--resume is not for --check, which"),
        (("--check", "--start", A_DAY), "--start is not for --check, which"),
        (("--check", "--full"), "--full is not for --check, which"),
        (("--start", A_DAY, "--full"), "--full is not for --start, which"),
        (("--start", A_DAY, "--lookback", "3"), "--lookback is not for --start, which"),
        (("--start", A_DAY, "--catch-up", "9"), "--catch-up is not for --start, which"),
        (("--dry-run", "--output", "/"), "--output /: that is a folder"),
        (("--dry-run", "--output", "/nosuch/x"), "--output /nosuch/x: there is no such folder"),
    ],
)
def test_a_flag_that_would_have_no_effect_is_refused(
    flags: tuple[str, ...], told: str, monkeypatch: Patch
) -> None:
    assert refusal(flags, {}, monkeypatch).startswith(f"sender.py: {told}")


@pytest.mark.parametrize("variable", ["ORGANIZATION", "RESERVED_CAPACITY"])
def test_what_is_on_or_off_is_nothing_else(variable: str, monkeypatch: Patch) -> None:
    setting = variable.lower()
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    for texts, state in ((("1", "True", "YES", "on"), True), (("", "0", "false", "NO"), False)):
        for text in texts:
            monkeypatch.setenv(variable, text)
            assert getattr(read_settings({}, CATEGORIES), setting) is state
    for wrong in ("maybe", "o-abcdefghij", "2", "none"):
        flag = f"--{setting.replace('_', '-')}"
        told = f"sender.py: {variable} ({flag}): {wrong!r} is neither on (1, true, yes, on) nor off"
        assert refusal((), {variable: wrong}, monkeypatch).startswith(told)


@pytest.mark.parametrize("zero", ["\uff10", "\u0660"], ids=["fullwidth", "Arabic"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start", "2026-01-31"),
        ("end", "2026-01-31"),
        ("accounts", "111122223333"),
        ("lookback", "3"),
        ("region", "eu-west-1"),
        ("regions", "eu-west-1"),
        ("kms_key", "1234abcd-12ab-34cd-56ef-1234567890ab"),
    ],
)
def test_digits_of_other_scripts_are_none(name: str, value: str, zero: str) -> None:
    """Of a year alone they would still make a day."""
    given = {"region": HOME, "start": A_DAY, "end": A_DAY} if name in ("start", "end") else {}
    other = value.translate({ord(str(n)): chr(ord(zero) + n) for n in range(10)})
    for wrong in {other, other[:4] + value[4:], value[:-1] + other[-1]} - {value}:
        with pytest.raises(UsageError):
            read_settings({"region": HOME, **given, name: wrong}, CATEGORIES, uploads=False)
