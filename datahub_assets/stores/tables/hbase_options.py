"""How HBase is reached, what a site sets below ``[hbase]``; and how a table there is declared. Nothing is connected here."""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from datahub_assets.stores.roots import root_problems

DATA, PROVENANCE = b"d", b"m"
Compression = Literal["none", "gz", "snappy", "lz4", "zstd"]
BlockEncoding = Literal["none", "prefix", "diff", "fast_diff", "row_index_v1"]
Bloom = Literal["none", "row", "rowcol"]
DEFAULT_FACTORY = "datahub_assets.stores.tables.hbase_connection:connect"
_GATEWAY = re.compile(r"^(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\s\[\]]+)):(?P<port>\d{1,5})$")
_PREFIX = re.compile(r"^(?:(?:[A-Za-z0-9_]+:)?(?:[A-Za-z0-9_][A-Za-z0-9_.-]*)?|/(?:[^\s:]*/)?)$")


class HBaseOptions(BaseModel):
    """Settings of an HBase (or MapR-DB) and its Thrift 1 gateways."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gateways: tuple[str, ...] = Field(
        ("127.0.0.1:9090",), min_length=1, description="Thrift gateways as host:port, used in turn."
    )
    table_prefix: str = Field(
        "",
        description="Put before the names of tables: `datahub:` for an HBase namespace (it must be there), `/apps/datahub/` "
        "for a folder of MapR, any other text for one of several hubs.",
    )
    transport: Literal["buffered", "framed"] = Field("buffered", description="As the gateways are started.")
    protocol: Literal["binary", "compact"] = Field(
        "binary", description="As the gateways are started; binary is much faster to read."
    )
    compat: Literal["0.92", "0.94", "0.96", "0.98"] = Field("0.98", description="happybase's level for older HBase.")
    connection: str = Field(
        DEFAULT_FACTORY,
        pattern=r"^[\w.]+:\w+$",
        description="What makes a connection, as module:function: where a site adds TLS or SASL.",
    )
    connect_seconds: float = Field(5, gt=0, description="How long a gateway may take to accept a connection.")
    answer_seconds: float = Field(90, gt=0, description="How long a gateway may take to answer; it retries by itself.")
    patience_seconds: float = Field(60, ge=0, description="How long to go on trying what failed and can be done again.")
    set_aside_seconds: float = Field(
        30, ge=0, description="How long a gateway that failed is not used, if others are there."
    )
    write_connections: int = Field(2, ge=1, le=64, description="Connections that one large write uses at once.")
    read_connections: int = Field(
        4, ge=1, le=64, description="Ranges of a salted table that one reader reads side by side."
    )
    frame_bytes: int = Field(
        1 << 20,
        ge=1 << 10,
        le=64 << 20,
        description="Size of a request that carries rows; one row may exceed it. A framed gateway refuses more than "
        "hbase.regionserver.thrift.framed.max_frame_size_in_mb (2 by default).",
    )

    hfile_staging: str | None = Field(
        None,
        description="A folder on HBase's own filesystem, as the hub reaches it: a path, file:///path or "
        "webhdfs://user@host:port/path. Large writes go there as HFiles and are loaded by HBase's own tool; left out, all "
        "rows go through the gateways.",
    )
    hfile_staging_in_hbase: str | None = Field(
        None,
        description="The same folder as HBase's tool names it, e.g. hdfs://nameservice/path; as above when left out.",
    )
    hfile_rows: int = Field(1_000_000, ge=1, description="A write of so many rows, or of hfile_bytes, goes as HFiles.")
    hfile_bytes: int = Field(
        128 << 20,
        ge=1 << 20,
        le=1 << 30,
        description="Rows that are sorted in memory at once, as one file a region and family.",
    )
    hfile_load_seconds: float = Field(3_600, gt=0, description="How long HBase's bulk-load tool may take.")
    hbase_command: tuple[str, ...] = Field(
        ("hbase",), min_length=1, description="Runs a class of HBase: the program hbase, or java with a classpath."
    )

    @field_validator("hfile_staging")
    @classmethod
    def _staging(cls, value: str | None) -> str | None:
        if value and (problems := root_problems(value)):
            raise ValueError(f"{value!r}: {'; '.join(problems)}")
        return value or None

    @field_validator("gateways")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for gateway in value:
            split_gateway(gateway)
        return value

    @field_validator("table_prefix")
    @classmethod
    def _prefix(cls, value: str) -> str:
        if not _PREFIX.match(value):
            raise ValueError(f"{value!r} is neither `namespace:`, `/folder/` nor a text of letters, digits and _ . -")
        return value


def split_gateway(gateway: str) -> tuple[str, int]:
    """Host and port.

    Raises:
        ValueError: it has another form.

    >>> split_gateway("thrift1.example:9090"), split_gateway("[::1]:9090")
    (('thrift1.example', 9090), ('::1', 9090))
    """
    match = _GATEWAY.match(gateway)
    if not match or not 0 < int(match["port"]) < 65536:
        raise ValueError(f"{gateway!r} is no gateway, expected host:port")
    return match["six"] or match["host"], int(match["port"])


@dataclass(frozen=True)
class Form:
    """How a table is declared: its families, each with one version and no end of time, and its regions."""

    families: tuple[bytes, ...] = (DATA, PROVENANCE)
    compression: Compression = "none"
    block_encoding: BlockEncoding = "none"
    bloom: Bloom = "row"
    salt_buckets: int = 0

    @property
    def splits(self) -> tuple[bytes, ...]:
        """First keys of all regions but the first: one for each bucket but the first."""
        return tuple(bytes([bucket]) for bucket in range(1, self.salt_buckets))
