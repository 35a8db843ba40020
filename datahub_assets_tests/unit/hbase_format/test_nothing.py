"""Values that may be empty, as cells that never are."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.hbase_format.nothing import cells_of, values_of

values = st.lists(st.binary(max_size=4) | st.sampled_from([b"", b"\0", b"\0\0", b"\0\x01", b"\0" * 8]), max_size=20)


@given(values)
def test_no_cell_is_empty_and_each_value_comes_back(plain: list[bytes]) -> None:
    """Only values of zero bytes are changed, so that what other tools read is what was written; slices as well."""
    array = pa.array([b"x", *plain, b"\0"], pa.binary()).slice(1, len(plain))
    cells = cells_of(array)
    assert values_of(cells).to_pylist() == plain
    assert all(cells.to_pylist())
    for value, cell in zip(plain, cells.to_pylist(), strict=True):
        assert cell == (value if value.strip(b"\0") else value + b"\0")
