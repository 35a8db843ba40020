"""What HBase says in texts becomes the hub's errors: by whose turn it is, and whether a retry helps."""

import pytest

from datahub_assets.errors import DatahubError, DeclarationError, StoreCorrupt, StoreUnavailable
from datahub_assets.stores.tables.hbase_errors import TableAbsent, from_text

NAME = b"datahub:px.prices"
HBASE = "org.apache.hadoop.hbase."
# As HBase 2.6.1 said them, stack traces cut.
TEXTS = [
    (f"{HBASE}TableNotFoundException: datahub:px.prices\n\tat {HBASE}client.ConnectionImplementation.locate", TableAbsent),
    (f"{HBASE}client.RetriesExhaustedWithDetailsException: Failed 5000 actions: datahub:px.prices: 5000 times, servers "
     "with issues: null", TableAbsent),
    ("table does not exist", TableAbsent),
    (f"{HBASE}client.RetriesExhaustedWithDetailsException: Failed 3 actions: Column family d does not exist in region "
     "datahub:px.prices,,1.a. in table 'datahub:px.prices': 3 times, servers with issues: localhost,1,2", StoreCorrupt),
    (f"{HBASE}regionserver.NoSuchColumnFamilyException: {HBASE}regionserver.NoSuchColumnFamilyException: d", StoreCorrupt),
    (f"{HBASE}io.hfile.CorruptHFileException: Problem reading HFile Trailer from file hdfs://…", StoreCorrupt),
    (f"{HBASE}NamespaceNotFoundException: {HBASE}NamespaceNotFoundException: datahub", DeclarationError),
    (f"{HBASE}client.RetriesExhaustedWithDetailsException: Failed 5000 actions: RegionTooBusyException: 5000 times, servers "
     "with issues: localhost,1,2", StoreUnavailable),
    (f"{HBASE}client.RetriesExhaustedException: Failed after attempts=9, exceptions:\n{HBASE}NotServingRegionException: …",
     StoreUnavailable),
    (f"{HBASE}PleaseHoldException: Master is initializing", StoreUnavailable),
    (f"{HBASE}security.AccessDeniedException: Insufficient permissions for user 'hub'", StoreUnavailable),
    ("java.lang.IllegalArgumentException: KeyValue size too large", DatahubError),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), TEXTS, ids=[text.partition("\n")[0][-60:] for text, _ in TEXTS])
def test_text_of_hbase_is_the_error_of_whose_turn_it_is(text: str, kind: type[Exception]) -> None:
    """The first line stands in the error, with the table as the hub and as HBase call it, and the gateway."""
    error = from_text(text, "px.prices", NAME, "thrift1:9090")
    assert type(error) is kind
    if isinstance(error, DatahubError):
        assert error.where == "px.prices (datahub:px.prices through thrift1:9090)"
        assert error.got == text.partition("\n")[0]
        assert error.retry_helps == (kind is StoreUnavailable)


def test_exceptions_of_a_stack_trace_are_named() -> None:
    """Below a general exception stands the one that matters; an operator reads it in the error, not in a log."""
    text = f"{HBASE}client.RetriesExhaustedException: Failed\n\tat x\nCaused by: {HBASE}NotServingRegionException: r\n\tat y"
    error = from_text(text, "px.prices", NAME, "thrift1:9090")
    assert isinstance(error, StoreUnavailable)
    assert error.remedy == "Read the gateway's log: RetriesExhaustedException < NotServingRegionException"


def test_table_of_another_name_in_a_failed_batch_is_not_this_ones_absence() -> None:
    """The text of a failed batch names what failed: only this table's own name says that it is absent."""
    error = from_text(
        "Failed 2 actions: datahub:px.prices_old: 2 times, servers with issues: null", "px.prices", NAME, "g:1"
    )
    assert isinstance(error, StoreUnavailable)
