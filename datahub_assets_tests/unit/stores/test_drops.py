"""Drops: a folder is whole when its manifest is there, cells say what the rows say, the same drop changes nothing."""

import csv
import hashlib
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datahub_assets.catalogue.models import DropOptions
from datahub_assets.errors import DeclarationError
from datahub_assets.history.log import Input
from datahub_assets.stores import drop_formats
from datahub_assets.stores.drops import Drop, drop
from datahub_assets.stores.local_files import LocalFileStore

WHAT = Drop(
    "risk/valuations", "2013-01-02", 41, datetime(2013, 1, 3, 6, tzinfo=UTC), (Input("ecb/fx", "2013-01-02", 7),)
)
EXPORTS = (
    DropOptions(format="csv"),
    DropOptions(format="csv", excel_europe=True),
    DropOptions(format="xlsx"),
    DropOptions(format="parquet"),
)
ROWS = pa.table(
    {
        "business_date": pa.array([date(2013, 1, 2)] * 4),
        "name": ['Société "A"; B,\nC', "=1+2", "", None],
        "amount": pa.array(
            [Decimal("-0.00000001"), Decimal("12345678901234567.12"), None, Decimal(0)], pa.decimal128(30, 8)
        ),
        "price": [1.5, None, -2.0, 1e300],
        "count": pa.array([1, -(2**62), None, 0], pa.int64()),
        "active": [True, False, None, True],
        "seen_at": pa.array(
            [datetime(2013, 1, 2, 17, 30, 0, 250_000, tzinfo=UTC), None, None, None], pa.timestamp("us", "UTC")
        ),
    }
)


def dropped(root: Path) -> tuple[LocalFileStore, dict[str, Any]]:
    """All formats of ROWS, and what the manifest says."""
    files = LocalFileStore(root)
    facts = drop(
        files, WHAT, EXPORTS, lambda: pa.RecordBatchReader.from_batches(ROWS.schema, ROWS.to_batches(max_chunksize=3))
    )
    return files, json.loads(files.read(facts[-1].path))


def cells(files: LocalFileStore, name: str, delimiter: str) -> list[list[str]]:
    """A CSV file as Python's own reader has it."""
    text = files.read(f"{WHAT.folder}/{name}").decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_drop_manifest_describes_every_file(tmp_path: Path) -> None:
    """The consumer verifies what it took against the manifest, and sees what the figures came from."""
    files, manifest = dropped(tmp_path)
    assert next(iter(files.list("drops"))) == "drops/risk/valuations/2013-01-02/p41/manifest.json"
    assert [f["name"] for f in manifest["files"]] == [
        "valuations_20130102.csv", "valuations_20130102_excel.csv", "valuations_20130102.xlsx", "valuations_20130102.parquet",
    ]  # fmt: skip
    for file in manifest["files"]:
        raw = files.read(f"{WHAT.folder}/{file['name']}")
        assert (file["size"], file["sha256"], file["rows"]) == (len(raw), hashlib.sha256(raw).hexdigest(), 4)
    assert manifest["known_at"] == "2013-01-03T06:00:00.000Z"
    assert manifest["inputs"] == [{"dataset": "ecb/fx", "partition": "2013-01-02", "write_id": 7}]
    assert {c["name"]: c["type"] for c in manifest["columns"]}["amount"] == "decimal(30,8)"


def test_drop_changes_nothing_when_made_again(tmp_path: Path) -> None:
    """A run is repeated after a crash: no byte may tell when it was written, or the name would be taken by other bytes."""
    first = dropped(tmp_path)[1]
    assert dropped(tmp_path)[1] == first


def test_drop_has_no_manifest_when_a_file_failed(tmp_path: Path) -> None:
    """The manifest is the sign that all is there."""
    files = LocalFileStore(tmp_path)
    rows = ROWS.append_column("tags", pa.array([[1]] * 4))
    with pytest.raises(DeclarationError, match="tags"):
        drop(files, WHAT, EXPORTS, lambda: rows.to_reader())
    assert list(files.list("drops")) == []


def test_drop_csv_keeps_every_value(tmp_path: Path) -> None:
    """Programs read the plain file: ISO dates, points, no exponent in a decimal, text exactly as it is."""
    rows = cells(dropped(tmp_path)[0], "valuations_20130102.csv", ",")
    assert rows[0] == ROWS.column_names
    assert rows[1] == [
        "2013-01-02", 'Société "A"; B,\nC', "-0.00000001", "1.5", "1", "true", "2013-01-02T17:30:00.250000Z",
    ]  # fmt: skip
    assert rows[2] == ["2013-01-02", "=1+2", "12345678901234567.12000000", "", str(-(2**62)), "false", ""]
    assert [row[2] for row in rows[3:]] == ["", "0.00000000"]


def test_drop_csv_tells_empty_text_from_null(tmp_path: Path) -> None:
    """Both are common in reference data, and they mean different things."""
    lines = dropped(tmp_path)[0].read(f"{WHAT.folder}/valuations_20130102.csv").decode().split("\r\n")
    assert lines[-3].startswith('2013-01-02,"",')
    assert lines[-2].startswith("2013-01-02,,")


@pytest.mark.parametrize("text", ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_drop_european_csv_never_starts_a_formula(text: str) -> None:
    """A feed's text would run as a formula when the file is opened; numbers keep their minus."""
    batch = pa.record_batch({"name": [text], "value": [-1.5]})
    line = b"".join(drop_formats.csv([batch], batch.schema, european=True)).decode("utf-8-sig").split("\r\n", 1)[1]
    [row] = csv.reader(io.StringIO(line, newline=""), delimiter=";")
    assert row == ["'" + text, "-1,5"]


def test_drop_european_csv_opens_by_double_click(tmp_path: Path) -> None:
    """Excel in Europe needs a byte-order mark for UTF-8, semicolons and decimal commas."""
    files = dropped(tmp_path)[0]
    assert files.read(f"{WHAT.folder}/valuations_20130102_excel.csv").startswith(
        b"\xef\xbb\xbfbusiness_date;name;amount"
    )
    assert cells(files, "valuations_20130102_excel.csv", ";")[1][1:4] == ['Société "A"; B,\nC', "-0,00000001", "1,5"]


def test_drop_xlsx_has_real_dates_and_numbers(tmp_path: Path) -> None:
    """People calculate with the sheet; text is never a formula, and a number Excel would round stays exact as text."""
    files = dropped(tmp_path)[0]
    book = openpyxl.load_workbook(io.BytesIO(files.read(f"{WHAT.folder}/valuations_20130102.xlsx")))
    sheet = book["valuations"]
    assert sheet.freeze_panes == "A2"
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert rows[0] == ROWS.column_names
    seen_at = datetime(2013, 1, 2, 17, 30, 0, 250_000)  # noqa: DTZ001 - Excel has no time zones
    assert rows[1] == [datetime(2013, 1, 2), 'Société "A"; B,\nC', -1e-8, 1.5, 1, True, seen_at]  # noqa: DTZ001
    assert rows[2] == [datetime(2013, 1, 2), "=1+2", "12345678901234567.12000000", None, str(-(2**62)), False, None]  # noqa: DTZ001
    assert sheet["B3"].data_type == "s"
    assert (sheet["A2"].number_format, sheet["C2"].number_format) == ("yyyy-mm-dd", "0.00000000")
    book.close()


def test_drop_parquet_has_the_rows(tmp_path: Path) -> None:
    """The same rows, with the hub's types."""
    files = dropped(tmp_path)[0]
    with files.open(f"{WHAT.folder}/valuations_20130102.parquet") as file:
        assert pq.read_table(file).cast(ROWS.schema).equals(ROWS)


def test_drop_of_no_rows_has_a_header(tmp_path: Path) -> None:
    """A day without rows is an answer too."""
    files = LocalFileStore(tmp_path)
    drop(files, WHAT, EXPORTS, lambda: ROWS.schema.empty_table().to_reader())
    assert cells(files, "valuations_20130102.csv", ",") == [ROWS.column_names]
