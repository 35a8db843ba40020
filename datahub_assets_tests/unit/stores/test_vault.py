"""The raw vault: bytes by content, receipts, the log's copy, contracts, rejects and what was set aside."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from datahub_assets.errors import StoreConflict, StoreCorrupt
from datahub_assets.history.log import Delivery, Entry
from datahub_assets.schema.contract import Contract
from datahub_assets.stores.local_files import LocalFileStore
from datahub_assets.stores.vault import Vault, delivery_path, log_path
from datahub_assets_tests.strategies import DAY_ONE, EPOCH, contracts, logs

few = settings(max_examples=max(10, settings().max_examples // 5))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """An empty vault."""
    return Vault(LocalFileStore(tmp_path / "root"))


def received(position: int, *names: str) -> Entry:
    """An entry that received files of these names."""
    files = [
        Delivery("ecb/fx", name, name, 1, EPOCH, (DAY_ONE,), receipt=(position, i)) for i, name in enumerate(names)
    ]
    return Entry(EPOCH + timedelta(seconds=position), "ann", f"r{position}", received=tuple(files), position=position)


def test_delivery_is_kept_once_and_read_back(vault: Vault) -> None:
    """A → B → A: the bytes of A are in the vault once, whatever file brought them; each feed has its own."""
    kept = [vault.keep("ecb/fx", [content]) for content in (b"A", b"B", b"A")]
    assert kept[0] == kept[2]
    assert len(list(vault.files.list("vault/deliveries/ecb/fx"))) == 2
    delivery = Delivery("ecb/fx", "eurofxref.csv", kept[1].sha256, kept[1].size, EPOCH, ())
    assert kept[1].path == delivery_path(delivery)
    with vault.open(delivery) as file:
        assert file.read() == b"B"
    assert vault.keep("iso/markets", [b"A"]).path != kept[0].path


def test_delivery_that_the_vault_lost_is_corruption(vault: Vault) -> None:
    """Receipts promise the bytes: nothing can go on without them, and the error says what to restore."""
    with pytest.raises(StoreCorrupt, match=r"7 bytes of eurofxref\.csv"):
        vault.open(Delivery("ecb/fx", "eurofxref.csv", "00", 7, EPOCH, ()))


def test_receipt_says_what_came_when_and_who_took_it(vault: Vault) -> None:
    """It can be read without this project; writing it again changes nothing."""
    for _ in range(2):
        vault.write_receipts(received(3, "one.csv", "two.csv"))
    paths = list(vault.files.list("vault/receipts"))
    assert paths == [f"vault/receipts/ecb/fx/000000000003-000{i}.json" for i in (0, 1)]
    told = json.loads(vault.files.read(paths[1]))
    expected = {
        "name": "two.csv",
        "feed": "ecb/fx",
        "receipt": [3, 1],
        "run_id": "r3",
        "known_at": "2013-01-01T00:00:03.000Z",
    }
    assert expected.items() <= told.items()


@few
@given(logs())
def test_log_copied_into_the_vault_is_the_log(tmp_path_factory: pytest.TempPathFactory, entries: list[Entry]) -> None:
    """Entry for entry, in order, however often it is copied; each delivery has its receipt."""
    vault = Vault(LocalFileStore(tmp_path_factory.mktemp("vault")))
    for entry in [*entries, *entries]:
        vault.copy_log(entry, entries.__getitem__)
    assert list(vault.copied_entries()) == entries
    assert [vault.has_copy(n) for n in range(len(entries) + 1)] == [True] * len(entries) + [False]
    assert len(list(vault.files.list("vault/receipts"))) == sum(len(entry.received) for entry in entries)


@few
@given(st.lists(st.integers(0, 7), max_size=6))
def test_copy_of_an_entry_brings_those_before_it(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    """Writers copy in any order and some never do: what is there is the log's beginning, without a gap."""
    entries = [received(n, f"{n}.csv") for n in range(8)]
    vault = Vault(LocalFileStore(tmp_path_factory.mktemp("vault")))
    for position in order:
        vault.copy_log(entries[position], entries.__getitem__)
    assert list(vault.copied_entries()) == entries[: max(order, default=-1) + 1]


def test_copy_of_another_log_is_refused(vault: Vault) -> None:
    """Two hubs on one vault would mix their histories."""
    vault.copy_entry(received(0))
    with pytest.raises(StoreConflict):
        vault.copy_entry(replace(received(0), actor="other"))


def test_gap_in_the_logs_copy_is_corruption(vault: Vault) -> None:
    """A rebuild from part of the log would be another hub."""
    for n in range(3):
        vault.copy_entry(received(n))
    vault.files.remove(log_path(1))
    with pytest.raises(StoreCorrupt, match="got 2, expected 1"):
        list(vault.copied_entries())


@few
@given(contracts())
def test_contracts_are_kept_by_version(tmp_path_factory: pytest.TempPathFactory, contract: Contract) -> None:
    """A table can be decoded from the vault alone; a version never changes."""
    vault = Vault(LocalFileStore(tmp_path_factory.mktemp("vault")))
    versions = [replace(contract, version=n) for n in (1, 2, 11)]
    for each in [*reversed(versions), *versions]:
        vault.keep_contract(each)
    assert vault.contracts(contract.dataset) == versions
    with pytest.raises(StoreConflict):
        vault.keep_contract(replace(versions[0], next_id=99))


def test_rejects_are_kept_as_they_were(vault: Vault) -> None:
    """By dataset, partition and T; the same again changes nothing, other rejects under that T are refused."""
    rejects = pl.DataFrame({"line": [3, 7], "column": ["rate", None], "value": ["N/A\0", "ü"]})
    path = vault.keep_rejects("ecb/fx", "2013-01-02", 7, rejects)
    assert path == "vault/rejects/ecb/fx/2013-01-02/T000000000007.parquet"
    assert vault.keep_rejects("ecb/fx", "2013-01-02", 7, rejects) == path
    assert_frame_equal(vault.rejects(path), rejects)
    with pytest.raises(StoreConflict):
        vault.keep_rejects("ecb/fx", "2013-01-02", 7, rejects.head(1))


def test_file_set_aside_is_kept_with_its_first_reason(vault: Vault) -> None:
    """The bytes and why no feed took them; the same bytes again, under any name, do not change what was said."""
    facts = vault.set_aside("ecb", "odd.csv", [b"odd"], {"what": "No feed takes it"})
    assert vault.set_aside("ecb", "again.csv", [b"odd"], {"what": "Another reason"}) == facts
    empty = vault.set_aside("ecb", "empty.csv", [], {"what": "Empty file"})
    aside = {one["path"]: one for one in vault.list_set_aside()}
    assert sorted(aside) == sorted([facts.path, empty.path])
    assert (aside[facts.path]["name"], aside[facts.path]["what"]) == ("odd.csv", "No feed takes it")
    assert vault.files.read(facts.path) == b"odd"


def test_file_set_aside_gets_its_reason_when_the_first_try_was_killed_before_it(vault: Vault) -> None:
    """The bytes were there, the reason was not: the next look completes it."""
    vault.files.publish_by_content("vault/set_aside/ecb", [b"odd"])
    assert vault.list_set_aside() == []
    vault.set_aside("ecb", "odd.csv", [b"odd"], {"what": "No feed takes it"})
    assert [one["name"] for one in vault.list_set_aside()] == ["odd.csv"]
