"""Settings of HBase are refused where they cannot be, before anything is connected; patience has its rules."""

import time

import pytest
from pydantic import ValidationError

from datahub_assets.errors import StoreUnavailable
from datahub_assets.stores.tables.hbase_gateways import GatewaysUnreachable
from datahub_assets.stores.tables.hbase_options import Form, HBaseOptions
from datahub_assets.stores.tables.hbase_retry import Patience


@pytest.mark.parametrize("prefix", ["", "datahub:", "datahub:demo.", "/apps/datahub/", "/", "demo-1.", "a_b."])
def test_prefix_is_a_namespace_a_folder_or_a_text(prefix: str) -> None:
    """What HBase and MapR allow before a table's name."""
    assert HBaseOptions(table_prefix=prefix).table_prefix == prefix


@pytest.mark.parametrize(("field", "value"), [
    ("table_prefix", "a:b:"), ("table_prefix", "/apps/datahub"), ("table_prefix", ".x"), ("table_prefix", "a b"),
    ("gateways", ()), ("gateways", ("host",)), ("gateways", ("host:0",)), ("gateways", ("host:70000",)),
    ("gateways", ("::1:9090",)),
    ("connection", "module"), ("frame_bytes", 10), ("write_connections", 0), ("transport", "http"), ("nonsense", 1),
])  # fmt: skip
def test_impossible_setting_is_refused(field: str, value: object) -> None:
    """A wrong line of datahub.toml is told when the hub is opened, not at the first write of the night."""
    with pytest.raises(ValidationError):
        HBaseOptions.model_validate({field: value})


def test_salt_buckets_are_split_at_every_bucket_but_the_first() -> None:
    """The salt is the first byte of a key: regions begin where buckets do."""
    assert Form(salt_buckets=4).splits == (b"\x01", b"\x02", b"\x03")
    assert Form(salt_buckets=256).splits[-1] == b"\xff"
    assert Form().splits == Form(salt_buckets=1).splits == ()


def test_patience_waits_longer_each_time_and_is_lost_after_its_seconds() -> None:
    """The last error is raised; success in between gives all of it back."""
    patience, error = Patience(0.5, lambda: True), StoreUnavailable("busy")
    begun = time.monotonic()
    for _ in range(2):
        patience.failed(error)
    with pytest.raises(StoreUnavailable, match="busy"):
        _fail_for_ever(patience, error)
    assert time.monotonic() - begun < 1
    patience.succeeded()
    patience.failed(error)


def test_patience_is_not_spent_on_gateways_that_were_never_reached() -> None:
    """A wrong address is told at once; one that was there a moment ago is waited for."""
    refused = GatewaysUnreachable("cannot be reached")
    with pytest.raises(GatewaysUnreachable):
        Patience(60, lambda: False).failed(refused)
    Patience(60, lambda: True).failed(refused)


def _fail_for_ever(patience: Patience, error: StoreUnavailable) -> None:
    while True:
        patience.failed(error)
