"""The accounts file: which accounts to read, and what it says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import sender
from tests.conftest import REGIONS
from tests.party import Party, RunOrganization, documents, places

HOME, OTHER = REGIONS


def test_the_accounts_file_speaks_for_the_accounts_that_it_tags(
    party: Party, run_organization: RunOrganization, tmp_path: Path
) -> None:
    asked: list[str] = []
    party.embedded.switches.intercept(
        "organizations", "ListTagsForResource",
        lambda request: asked.append(request.params["ResourceId"]),
    )  # fmt: skip
    file = tmp_path / "accounts.csv"
    file.write_text(
        f'account_id,product,customer\n{party.shop.id},"Web,Tills",Ours\n{party.europe.id},,\n',
        encoding="utf-8-sig",
    )
    done = run_organization("--only", "account", ACCOUNTS_FILE=str(file))
    assert done.code == 0, done.out
    found = documents(party)
    assert found.keys() == places(party.shop, party.europe, regions=(HOME,))
    named = [
        (found[f"{account.id}/{HOME}"]["account"]["customer_name"],
         found[f"{account.id}/{HOME}"]["account"]["product"])
        for account in (party.shop, party.europe)
    ]  # fmt: skip
    assert named == [("Ours", "Web,Tills"), ("Europe Corp", "Shop,Billing")]
    assert asked == [party.payer.id, party.europe.id]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("account_id\n1234\n111122223333\n,\n111122223333\n",
         ("2: '1234' is not", "4: more values", "5: 111122223333 is there twice")),
        ("account_id,customer\n111122223333,A,B\n", ("2: more values than",)),
        ("account_id,colour\n111122223333,red\n", (" the header has 'colour'; its columns are",)),
        ("account_id;customer\n", (" the header has 'account_id;customer'; its columns are",)),
        ("account_id,customer,customer\n", (" the header has customer more than once",)),
        ("customer\nA\n", (" the header lacks account_id; its columns are account_id[,custom",)),
        ("account_id\n", (" there is no account",)),
        ("", (" the header lacks account_id",)),
        ('account_id\n"111122223333\n', (" not CSV: unexpected end of data",)),
    ],
)  # fmt: skip
def test_each_line_of_the_accounts_file_that_is_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    text: str,
    lines: tuple[str, ...],
) -> None:
    for name in ("REGION", "BUCKET"):
        monkeypatch.setenv(name, HOME)
    monkeypatch.setenv("ANALYTICS_KMS_KEY", "alias/documents")
    file = tmp_path / "accounts.csv"
    file.write_text(text)
    assert sender.main(["--accounts-file", str(file)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(lines)
    for line, expected in zip(told, lines, strict=True):
        assert line.startswith(f"sender.py: {file}:{expected}")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_an_accounts_file_of_another_encoding_is_to_be_saved_anew(
    encoding: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("REGION", HOME)
    file = tmp_path / "accounts.csv"
    file.write_text("account_id,customer\n111122223333,K\u00f6ln\n", encoding=encoding)
    assert sender.main(["--dry-run", "--accounts-file", str(file)]) == 2
    told = capsys.readouterr().err
    assert told == f"sender.py: {file}: it is not UTF-8; save it as CSV UTF-8\n"
