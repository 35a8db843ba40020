"""The header of a row: format and contract version, flags, and where the row came from. The same 12 bytes in both layouts.

``packed`` begins its value with it, ``cells`` has it in a cell of its own. Specified in ``docs/formats/packed.md``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datahub_assets.hbase_format.arrays import Numbers, single
from datahub_assets.schema.contract import DELIVERY, LINE, WITHDRAWN, Shape

FORMAT_VERSION = 1
WITHDRAWN_BIT = 1
FIELDS: list[Any] = [
    ("format", "u1"), ("flags", "u1"), ("contract", ">u2"), ("delivery", ">u4"), ("line", ">u4"),
]  # fmt: skip
"""numpy's fields of the header's bytes."""
HEADER_BYTES = np.dtype(FIELDS).itemsize

Headers = NDArray[np.void]


def write_headers(into: Headers, contract_version: int, block: pa.Table) -> None:
    """The headers of the block's rows stand in the fields of ``into``."""
    into["format"], into["contract"] = FORMAT_VERSION, contract_version
    into["delivery"] = single(block[DELIVERY]).to_numpy(zero_copy_only=False)
    into["line"] = single(block[LINE]).to_numpy(zero_copy_only=False)
    if WITHDRAWN in block.column_names:
        into["flags"] = single(block[WITHDRAWN]).to_numpy(zero_copy_only=False).astype(np.uint8) * WITHDRAWN_BIT


def read_provenance(headers: Headers, shape: Shape) -> list[pa.Array]:
    """``_delivery`` and ``_line``, of a bitemporal dataset also ``_withdrawn``."""
    provenance = [pa.array(headers["delivery"].astype(np.uint32)), pa.array(headers["line"].astype(np.uint32))]
    if shape is Shape.BITEMPORAL:
        provenance.append(pa.array((headers["flags"] & WITHDRAWN_BIT).astype(bool)))
    return provenance


def by_version(versions: Numbers, decode: Callable[[int, Numbers], pa.Table]) -> pa.Table:
    """Rows of several contract versions, in their order, out of what ``decode`` makes of those of one.

    Args:
        versions: the contract version of each row; one row at least.
        decode: gets a version and the ascending places of its rows.
    """
    if bool((versions == versions[0]).all()):
        return decode(int(versions[0]), np.arange(len(versions)))
    order = [np.flatnonzero(versions == version) for version in np.unique(versions)]
    parts = [decode(int(versions[places[0]]), places) for places in order]
    return pa.concat_tables(parts).combine_chunks().take(pa.array(np.argsort(np.concatenate(order))))
