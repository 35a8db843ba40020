"""A structured dataset is streamed: memory does not grow with its rows."""

import multiprocessing
import threading
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from datahub_assets.history.log import Change
from datahub_assets.operations.hub import Hub
from datahub_assets.serving.engine import Engine
from datahub_assets.settings import Serving, load
from datahub_assets_tests.hubs import PRICES, D, small_hub

ROWS, TEXT = 1_000_000, 400
MAX_MB = 100
"""Half of the rows have 200 MB."""


def _write(hub: Hub) -> None:
    """One partition of a million rows with a text of 400 characters each."""
    contract, write_id, day = hub.register_contract(PRICES), hub.draw_write_id(PRICES), D[0].isoformat()
    for start in range(0, ROWS, 50_000):
        hub.structured.write(contract, [(day, _rows(start).cast(contract.stored_schema))], write_id)
    change = Change(PRICES, day, write_id, None, rows=ROWS, contract_version=contract.version)
    hub.append(replace(hub.draft("a million rows"), changes=(change,)), hub.log.last())


def _rows(start: int) -> pa.Table:
    letters = np.frombuffer(b"ABCDEFGHIJ", np.uint8)
    numbers = np.arange(start, start + 50_000)
    digits = letters[(numbers[:, None] // 10 ** np.arange(6, -1, -1)) % 10]
    texts = np.concatenate([digits, np.full((50_000, TEXT - 7), ord("X"), np.uint8)], axis=1)
    tickers = pa.Array.from_buffers(
        pa.string(), 50_000,
        [None, pa.py_buffer((np.arange(50_001) * TEXT).astype(np.int32).tobytes()), pa.py_buffer(texts.tobytes())],
    )  # fmt: skip
    return pa.table({
        "business_date": pa.array([D[0]], pa.date32()).take(pa.array(np.zeros(50_000, np.int64))), "ticker": tickers,
        "price": pa.array(numbers % 100 + 1).cast(pa.decimal128(23, 4)).cast(pa.decimal128(18, 4)), "volume": pa.array(numbers),
        "_delivery": pa.array(np.zeros(50_000, np.uint32)), "_line": pa.array(np.zeros(50_000, np.uint32)),
    })  # fmt: skip


class Peak:
    """The most memory that this process has had, from when it was last asked."""

    def __init__(self) -> None:
        self._process, self._over = psutil.Process(), threading.Event()
        self._most: int = self._process.memory_info().rss
        threading.Thread(target=self._watch, daemon=True).start()

    def asked(self) -> int:
        """In MB."""
        most, self._most = self._most, self._process.memory_info().rss
        return most >> 20

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            self._most = max(self._most, self._process.memory_info().rss)


def _read(home: Path, told: Connection) -> None:
    engine = Engine.open(Hub.open(load(home)), limits=Serving(memory="128MB", threads=2))
    session = engine.session(engine.signed_in("ann"), "test")
    peak, peaks, rows = Peak(), list[int](), 0
    for batch in session.execute("SELECT * FROM px.prices", batch_rows=10_000):
        if rows < ROWS // 2 <= rows + batch.num_rows:
            peaks.append(peak.asked())
        rows += batch.num_rows
    peaks.append(peak.asked())
    sql = "SELECT count(*), sum(volume), max(length(ticker)), count(DISTINCT price) FROM px.prices"
    found = [tuple(row.values()) for row in session.execute(sql).read_all().to_pylist()]
    engine.close()
    told.send((rows, found, [*peaks, peak.asked()]))


def test_million_rows_of_a_structured_dataset_are_streamed_and_aggregated_in_bounded_memory(tmp_path: Path) -> None:
    """The second half of a stream needs no more than the first, an aggregate after it no more than pages."""
    hub = small_hub(tmp_path, PRICES)
    _write(hub)
    hub.settings.access.write_text("users: {ann: {groups: [all]}}\ngroups: {all: {grants: [{datasets: ['*']}]}}\n")
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_read, args=(tmp_path, send))
    process.start()
    assert receive.poll(240), "no answer"
    rows, found, (first_half, second_half, aggregate) = receive.recv()
    process.join(30)
    assert (rows, found) == (ROWS, [(ROWS, ROWS * (ROWS - 1) // 2, TEXT, 100)])
    assert second_half - first_half < MAX_MB
    assert aggregate - first_half < MAX_MB
