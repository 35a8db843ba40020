"""IO managers with assets of somebody's own: frames in, as pyarrow, polars and pandas; frames out, as a dataset's rows."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from datahub_assets.catalogue.models import Partitioning
from datahub_assets.history.log import Delivery
from datahub_assets.operations.hub import Hub
from datahub_assets.orchestration.failures import RETRY
from datahub_assets.orchestration.pandas_types import pandas_type
from datahub_assets.orchestration.partitions import partitions_of
from datahub_assets.settings import Settings
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    MEMBERS,
    PRICES,
    RETURNS,
    START,
    D,
    done,
    instruments,
    land,
    members,
    price_of,
    prices,
    rows,
    small_hub,
)
from datahub_assets_tests.unit.orchestration.runs import dagster_of, failures, published, raw, retries, structured

DAYS = partitions_of("own/any", Partitioning(calendar="weekdays", start=START), Settings())
SEEN: list[Any] = []
"""What the assets below were given, newest last."""


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub with two days of everything."""
    made = small_hub(tmp_path)
    for number, day in enumerate(D[:2]):
        land(made, PRICES, day, prices(day, A=number + 1, B="2.5"))
        land(made, INSTRUMENTS, day, instruments(A=f"Alpha{number} EUR"))
        land(made, MEMBERS, day, members(("A", START, None), ("B", START, D[1])))
    done(made)
    SEEN.clear()
    return made


# -- in ----------------------------------------------------------------------------------------------------------------


@dg.asset(key="as_arrow", partitions_def=DAYS, ins={"table": dg.AssetIn(structured(PRICES))})
def takes_arrow(table: pa.Table) -> None:
    """Works in Arrow."""
    SEEN.append(table)


@dg.asset(key="as_polars", partitions_def=DAYS, ins={"frame": dg.AssetIn(structured(PRICES))})
def takes_polars(frame: pl.DataFrame) -> None:
    """Works in polars."""
    SEEN.append(frame)


@dg.asset(key="as_pandas", partitions_def=DAYS, ins={"frame": dg.AssetIn(published(RETURNS))})
def takes_pandas(frame: pd.DataFrame) -> None:
    """Works in pandas, on an extract."""
    SEEN.append(frame)


@dg.asset(key="as_is", partitions_def=DAYS, ins={"rows": dg.AssetIn(structured(PRICES))})
def takes_anything(rows) -> None:  # type: ignore[no-untyped-def]
    """Says no type."""
    SEEN.append(rows)


@dg.asset(key="whole", ins={"frame": dg.AssetIn(structured(PRICES))})
def takes_all(frame: pl.DataFrame) -> None:
    """Has no partitions itself: every business date."""
    SEEN.append(frame)


@dg.asset(key="dated", partitions_def=DAYS, ins={"frame": dg.AssetIn(structured(INSTRUMENTS))})
def takes_what_holds(frame: pl.DataFrame) -> None:
    """Reads reference data."""
    SEEN.append(frame)


@dg.asset(key="files", partitions_def=DAYS, ins={"files": dg.AssetIn(raw(PRICES))})
def takes_deliveries(files: Sequence[Delivery]) -> None:
    """Reads what was delivered."""
    SEEN.append(files)


READERS = [takes_arrow, takes_polars, takes_pandas, takes_anything, takes_all, takes_what_holds, takes_deliveries]


def test_rows_of_a_partition_come_as_the_parameter_says(hub: Hub) -> None:
    """pyarrow, polars and pandas with the contract's types; what says nothing gets Arrow; deliveries from the raw asset."""
    with dagster_of(hub, READERS) as dagster:
        keys = [dg.AssetKey(name) for name in ("as_arrow", "as_polars", "as_pandas", "as_is", "files")]
        result = dagster.run(*keys, day=D[1])
        assert result.success, [e.step_failure_data.error for e in result.all_events if e.is_step_failure]
    found = {type(value): value for value in SEEN}
    table, frame, pandas = found[pa.Table], found[pl.DataFrame], found[pd.DataFrame]
    assert sum(isinstance(value, pa.Table) for value in SEEN) == 2
    assert table.schema.field("price").type == pa.decimal128(18, 4)
    assert frame.rows() == [(D[1], "A", Decimal("2.0000"), 100), (D[1], "B", Decimal("2.5000"), 100)]
    assert pl.DataFrame(table).equals(frame)
    assert list(pandas.columns) == ["business_date", "ticker", "price", "previous_price"]
    assert pandas["previous_price"].tolist() == [Decimal("1.0000"), Decimal("2.5000")]
    (deliveries,) = [value for value in SEEN if isinstance(value, list)]
    assert [delivery.name for delivery in deliveries] == ["prices_20130103.csv"]


def test_rows_of_a_range_and_of_all_partitions_come_together(hub: Hub) -> None:
    """A run over two days has both; an asset without partitions has every business date."""
    with dagster_of(hub, READERS) as dagster:
        assert dagster.run(dg.AssetKey("as_polars"), days=(D[0], D[1])).success
        assert dagster.run(dg.AssetKey("whole")).success
    for frame in SEEN:
        assert frame["business_date"].to_list() == [D[0], D[0], D[1], D[1]]
    assert len(SEEN) == 2


def test_reference_data_are_those_that_hold_on_the_day(hub: Hub) -> None:
    """A partition of a bitemporal dataset is a day on which rows hold, not all that ever held."""
    with dagster_of(hub, READERS) as dagster:
        for day in D[:2]:
            assert dagster.run(dg.AssetKey("dated"), day=day).success
        assert dagster.run(dg.AssetKey("dated"), days=(D[0], D[1])).success
    assert [frame["name"].to_list() for frame in SEEN] == [["Alpha0"], ["Alpha1"], ["Alpha0", "Alpha1"]]


def test_day_without_rows_gives_an_empty_frame_with_every_column(hub: Hub) -> None:
    """The code of the asset need not know that nothing came."""
    with dagster_of(hub, READERS) as dagster:
        assert dagster.run(dg.AssetKey("as_polars"), day=D[5]).success
    assert (SEEN[0].height, SEEN[0].columns) == (0, ["business_date", "ticker", "price", "volume"])


def test_inputs_of_a_run_are_all_read_at_one_position(hub: Hub) -> None:
    """What is committed while a run works is not in its later inputs."""
    second = {"before": dg.AssetIn("correcting"), "frame": dg.AssetIn(structured(PRICES))}

    @dg.asset(key="correcting", partitions_def=DAYS, ins={"frame": dg.AssetIn(structured(PRICES))})
    def correcting(frame: pl.DataFrame) -> int:
        """Meanwhile a correction arrives."""
        land(hub, PRICES, D[0], prices(D[0], A=99))
        done(hub)
        return frame.height

    @dg.asset(key="later", partitions_def=DAYS, ins=second)
    def later(before: int, frame: pl.DataFrame) -> None:
        """Reads after it."""
        SEEN.append((before, frame["price"].to_list()))

    with dagster_of(hub, [correcting, later]) as dagster:
        assert dagster.run(dg.AssetKey("correcting"), dg.AssetKey("later"), day=D[0]).success
    assert [(2, [Decimal("1.0000"), Decimal("2.5000")])] == SEEN
    assert price_of(hub, "A", D[0]) == 99


def test_pandas_type_shows_the_columns_and_stops_what_lacks_one(hub: Hub) -> None:
    """Where dagster-pandas serves: a typed hand-over to pandas, at the door of an asset and on its way out."""
    typed = pandas_type(hub.contract(PRICES))
    assert "Rows of px/prices, contract version 1" in (typed.description or "")

    @dg.multi_asset(
        name="typed", outs={"typed": dg.AssetOut(dagster_type=typed)}, partitions_def=DAYS,
        ins={"frame": dg.AssetIn(structured(PRICES), dagster_type=typed)},
    )  # fmt: skip
    def hands_on(frame):  # type: ignore[no-untyped-def]
        """Gives on what it was given."""
        SEEN.append(frame)
        return frame if len(SEEN) == 1 else frame.drop(columns="volume")

    with dagster_of(hub, [hands_on]) as dagster:
        assert dagster.run(dg.AssetKey("typed"), day=D[0]).success
        assert not dagster.run(dg.AssetKey("typed"), day=D[1]).success
    assert all(isinstance(frame, pd.DataFrame) and len(frame) == 2 for frame in SEEN)


# -- out ---------------------------------------------------------------------------------------------------------------


def modelled(made: Any) -> dg.AssetsDefinition:
    """An asset that makes the prices itself."""

    @dg.asset(key=structured(PRICES), partitions_def=DAYS, io_manager_key="tables", retry_policy=RETRY,
              backfill_policy=dg.BackfillPolicy.single_run())  # fmt: skip
    def prices_of_a_model(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        """Prices of a model."""
        return made(context) if callable(made) else made

    return prices_of_a_model


TOLD = {"ticker": ["A", "C"], "price": [7, 8], "volume": [1, None]}
FRAMES = {"arrow": pa.table(TOLD), "polars": pl.DataFrame(TOLD), "pandas": pd.DataFrame(TOLD)}


@pytest.mark.parametrize("kind", FRAMES)
def test_frame_that_an_asset_returns_is_the_partitions_image(hub: Hub, kind: str) -> None:
    """Of whichever library: committed, read back, and downstream it goes on as with a provider's file."""
    with dagster_of(hub, [modelled(FRAMES[kind])]) as dagster:
        assert dagster.run(structured(PRICES), day=D[0]).success
        assert rows(hub, PRICES, None, D[0]) == [(D[0], "A", 7, 1), (D[0], "C", 8, None)]
        assert {request.partition_key for request in dagster.ask("follow")} == {str(D[0]), str(D[1])}


def test_frame_of_a_range_is_an_image_a_day(hub: Hub) -> None:
    """The rows tell their days."""
    told = pl.DataFrame({"business_date": [D[0], D[1]], "ticker": ["A", "B"], "price": [5, 6], "volume": [1, 1]})
    with dagster_of(hub, [modelled(told)]) as dagster:
        assert dagster.run(structured(PRICES), days=(D[0], D[1])).success
        assert rows(hub, PRICES) == [(D[0], "A", 5, 1), (D[1], "B", 6, 1)]
        result = dagster.run(structured(PRICES), days=(D[0], D[2]))
        ((text, _),) = failures(result)
        assert "Rows are of other days in px/prices 2013-01-02 to 2013-01-04" in text
        assert retries(result) == 0


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (pl.DataFrame({**TOLD, "price": [-1, 8]}), "row 0, price: gt, -1"),
        (pl.DataFrame(TOLD).drop("price"), "Columns are missing"),
        (42, "AttributeError"),
    ],
    ids=["rule", "column", "no_frame"],
)
def test_frame_that_cannot_be_committed_fails_with_its_facts_and_is_not_tried_again(
    hub: Hub, made: Any, told: str
) -> None:
    """The same code makes the same rows: three tries later the author would know no more. The table stays as it was."""
    with dagster_of(hub, [modelled(made)]) as dagster:
        result = dagster.run(structured(PRICES), day=D[0])
    ((text, _),) = failures(result)
    assert told in text
    assert retries(result) == 0
    assert price_of(hub, "A", D[0]) == 1
