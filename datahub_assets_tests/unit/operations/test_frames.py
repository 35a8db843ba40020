"""Rows that a program hands over: held to the contract, kept in the vault, and told apart by nothing from a file's rows."""

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from datahub_assets.errors import DeliveryMalformed, QueryError
from datahub_assets.operations.frames import commit_frame
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import key_history, read
from datahub_assets.operations.rebuild import rebuild
from datahub_assets.operations.reconcile import reconcile
from datahub_assets.operations.stale import stale_structured
from datahub_assets.operations.structure import structure
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    PRICES,
    D,
    columns,
    done,
    land,
    open_hub,
    prices,
    redeclared,
    rows,
    small_hub,
)
from datahub_assets_tests.strategies import frames

EXAMPLES = max(settings.default.max_examples // 20, 1) if settings.default else 5
TYPES = ("text", "int32", "int64", "float64", "decimal(20,6)", "boolean", "date", "timestamp")


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub of prices alone."""
    return small_hub(tmp_path / "hub", PRICES)


def frame(**told: float) -> pa.Table:
    """Prices as a program has them: no business date, integers and floats."""
    return pa.table({"ticker": list(told), "price": list(told.values()), "volume": [100] * len(told)})


def rebuilt(hub: Hub) -> tuple[Hub, list[str]]:
    """The hub after the loss of its tables and a rebuild; and what is not equal."""
    hub.tables.close()  # type: ignore[attr-defined]  # embedded
    shutil.rmtree(hub.settings.tables)
    different = [
        verdict.why for one in rebuild(open_hub(hub.settings.home)) for verdict in one.verdicts if not verdict.equal
    ]
    return open_hub(hub.settings.home), different


def test_frame_is_a_delivery_of_the_vault(hub: Hub) -> None:
    """Its rows can be explained as a file's can: name, receipt, line; and the vault holds them."""
    commit = commit_frame(hub, PRICES, D[0], frame(A=1, B=2.5))
    assert [(c.rows, c.added, c.deliveries) for c in commit.changes] == [(2, 2, ((0, 0),))]
    assert rows(hub, PRICES) == [(D[0], "A", 1, 100), (D[0], "B", Decimal("2.5"), 100)]
    (delivery,) = hub.log.deliveries(PRICES, hub.log.last())
    assert (delivery.name, delivery.is_frame) == ("prices_2013-01-02.parquet", True)
    with hub.vault.open(delivery) as stream:
        assert pl.read_parquet(stream)["ticker"].to_list() == ["A", "B"]
    history = key_history(hub, PRICES, ["B"], hub.log.last(), D[0].isoformat())
    assert history.select("delivery", "line").rows() == [("prices_2013-01-02.parquet", 2)]
    assert stale_structured(hub, PRICES, hub.log.last()).days == ()


def test_frame_survives_the_loss_of_the_tables(hub: Hub) -> None:
    """The vault alone gives its rows again, between those of files."""
    land(hub, PRICES, D[0], prices(D[0], A=1))
    done(hub)
    commit_frame(hub, PRICES, D[0], frame(A=2))
    commit_frame(hub, PRICES, D[1], frame(A=3))
    land(hub, PRICES, D[1], prices(D[1], A=4))
    done(hub)
    last = hub.log.last()
    said = [rows(hub, PRICES, position) for position in range(last + 1)]
    assert [row[2] for row in said[-1]] == [2, 4]
    assert all(one.equal for one in reconcile(hub, PRICES, last))
    hub, different = rebuilt(hub)
    assert different == []
    assert [rows(hub, PRICES, position) for position in range(last + 1)] == said


def test_same_rows_again_commit_nothing(hub: Hub) -> None:
    """Whatever their order; and A, B, A are three commits."""
    commit_frame(hub, PRICES, D[0], frame(A=1, B=2))
    assert commit_frame(hub, PRICES, D[0], frame(B=2, A=1)).unchanged == (D[0].isoformat(),)
    assert hub.log.last() == 1
    for price in (3, 1):
        commit_frame(hub, PRICES, D[0], frame(A=price, B=2))
    assert [row[2] for row in rows(hub, PRICES)] == [1, 2]
    assert len(hub.log.history(PRICES, D[0].isoformat(), hub.log.last())) == 3


def test_frame_counts_after_files_that_have_a_sequence(tmp_path: Path) -> None:
    """It is the day's latest delivery when it is handed over; the provider's next number counts after it."""
    feed = {"pattern": "prices_{business_date:%Y%m%d}_{sequence}.csv"}
    hub = small_hub(tmp_path, PRICES, declared={PRICES: {"feed": feed}})
    land(hub, PRICES, D[0], prices(D[0], A=1), sequence=7)
    done(hub)
    commit_frame(hub, PRICES, D[0], frame(A=2))
    assert rows(hub, PRICES)[0][2] == 2
    land(hub, PRICES, D[0], prices(D[0], A=3), sequence=8)
    done(hub)
    assert rows(hub, PRICES)[0][2] == 3


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (frame(A=-1, b=2), ["row 0, price: gt, -1", "row 1, ticker: pattern, b"]),
        (pa.concat_tables([frame(A=1), frame(A=2)]), ["duplicate_key, A"]),
        (frame(A=1).drop_columns(["price"]), ["price"]),
        (frame(A=1).append_column("business_date", pa.array([D[1]])), ["row 0, business_date: of 2013-01-02, 2013-01-03"]),
        (frame(A=1).set_column(1, "price", pa.array(["many"])), ["price: "]),
        (frame(A=1).set_column(2, "volume", pa.array([1.5])), ["volume: "]),
        (frame(), ["got 0 rows, expected at least 1"]),
    ],
    ids=["rules", "key", "column", "day", "type", "fraction", "empty"],
)  # fmt: skip
def test_frame_that_breaks_the_contract_leaves_nothing(hub: Hub, wrong: pa.Table, told: list[str]) -> None:
    """All that is wrong is told at once, to the program's author; the log, the vault and the table stay as they were."""
    commit_frame(hub, PRICES, D[0], frame(A=5))
    files = list(hub.files.list(""))
    with pytest.raises(DeliveryMalformed) as error:
        commit_frame(hub, PRICES, D[0], wrong)
    for words in told:
        assert words in str(error.value)
    assert hub.log.last() == 1
    assert list(hub.files.list("")) == files


def test_bitemporal_dataset_takes_no_frame(tmp_path: Path) -> None:
    """What holds from when to when comes from files, in their order."""
    with pytest.raises(QueryError, match="snapshots only"):
        commit_frame(small_hub(tmp_path, INSTRUMENTS), INSTRUMENTS, D[0], pa.table({"ticker": ["A"]}))


def test_frame_is_read_under_the_contract_of_today(hub: Hub) -> None:
    """Made anew after the contract changed: a renamed column keeps its values, a new one is empty."""
    commit_frame(hub, PRICES, D[0], frame(A=1))
    close = {"name": "close", "type": "decimal(18,4)", "source": "price", "aliases": ["price"]}
    venue = {"name": "venue", "type": "text", "nullable": True}
    after = redeclared(hub, PRICES, columns=columns(PRICES, without=["price"], also=[close, venue]))
    (change,) = structure(after, PRICES, [D[0]]).changes
    assert (change.contract_version, change.changed) == (2, 0)
    assert rows(after, PRICES) == [(D[0], "A", 100, 1, None)]


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_rows_come_back_as_they_were_handed_over(data: st.DataObject) -> None:
    """Of every type, with nulls, empty texts, blanks, zero bytes and values at the edge; also after a rebuild."""
    with TemporaryDirectory() as home:
        typed = [{"name": f"c{i}", "type": kind, "nullable": True} for i, kind in enumerate(TYPES)]
        declared = {
            "columns": [{"name": "business_date", "type": "date"}, {"name": "k", "type": "text"}, *typed], "key": ["k"],
            "partitions": {"start": date(1, 1, 1), "calendar": "daily"},
        }  # fmt: skip
        hub = small_hub(
            Path(home) / "hub", PRICES, declared={PRICES: declared}, at=datetime(2013, 1, 2, 12, tzinfo=UTC)
        )
        contract = hub.contract(PRICES)
        drawn = data.draw(frames(contract).filter(lambda one: one.height))
        drawn = drawn.unique("k", maintain_order=True).with_columns(business_date=pl.lit(D[0]))
        commit_frame(hub, PRICES, D[0], drawn.to_arrow())

        def held(one: Hub) -> pl.DataFrame:
            return pl.DataFrame(pa.concat_tables(read(one, PRICES, one.log.last())))

        assert_frame_equal(held(hub), drawn, check_row_order=False, check_dtypes=True)
        again, different = rebuilt(hub)
        assert different == []
        assert_frame_equal(held(again), drawn, check_row_order=False)


def test_pandas_rows_are_taken_as_pandas_has_them(hub: Hub) -> None:
    """Dates as datetimes, integers with gaps as floats, missing values as NaN."""
    told = pd.DataFrame(
        {"ticker": ["A", "B"], "price": [1, 2], "volume": [100.0, None], "business_date": pd.to_datetime([D[0]] * 2)}
    )
    commit_frame(hub, PRICES, D[0], pa.Table.from_pandas(told, preserve_index=False))
    assert rows(hub, PRICES) == [(D[0], "A", 1, 100), (D[0], "B", 2, None)]
