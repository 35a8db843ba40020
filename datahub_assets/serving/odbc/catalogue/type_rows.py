"""The rows of ``pg_type`` that do not depend on what a person sees."""

from collections.abc import Iterator, Mapping

from datahub_assets.serving.odbc import types

_OTHERS = """
18 char 1 1002 Z b, 24 regproc 4 1008 N b, 27 tid 6 1010 U b, 28 xid 4 1011 U b, 29 cid 4 1012 U b,
30 oidvector -1 1013 A b, 142 xml -1 143 U b, 194 pg_node_tree -1 0 Z b, 600 point 16 1017 G b, 650 cidr -1 651 I b,
705 unknown -2 0 X p, 790 money 8 791 N b, 869 inet -1 1041 I b, 1266 timetz 12 1270 D b, 1560 bit -1 1561 V b,
1562 varbit -1 1563 V b, 1790 refcursor -1 2201 U b, 2202 regprocedure 4 2207 N b, 2205 regclass 4 2210 N b,
2206 regtype 4 2211 N b, 2249 record -1 2287 P p, 2275 cstring -2 1263 P p, 2276 any 4 0 P p, 2277 anyarray -1 0 P p,
2278 void 4 0 P p, 2279 trigger 4 0 P p, 2283 anyelement 4 0 P p, 3802 jsonb -1 3807 U b, 4089 regnamespace 4 4090 N b,
4096 regrole 4 4097 N b
"""
"""OID, name, size, OID of its arrays, category and kind of the types that no answer has and that tools look for all the same."""
_RECEIVED = """
    bool bytea char float4 float8 int2 int4 int8 name oid text varchar bpchar xid cid tid unknown int2vector oidvector
    regproc regprocedure regclass regtype regnamespace regrole
"""
"""Types whose functions have names without an underscore: int4in, but date_in."""
_STEMS = {"money": "cash_", "refcursor": "text"}
_ITEMS = {"name": 18, "int2vector": 21, "oidvector": 26, "point": 701}
"""Types of fixed items that are no arrays."""
_PREFERRED = {"bool", "text", "float8", "oid", "timestamptz", "interval", "inet", "varbit"}
_NEVER_SENT = {"any", "trigger", "anyelement"}
_ALIASES = {
    "bool": "boolean", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real",
    "float8": "double precision", "varchar": "character varying", "bpchar": "character", "char": '"char"',
    "time": "time without time zone", "timetz": "time with time zone", "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone", "bit": "bit", "varbit": "bit varying",
}  # fmt: skip


def sql_name(name: str) -> str:
    """How SQL says a type's name."""
    return _ALIASES.get(name, name)


def type_rows() -> Iterator[Mapping[str, object]]:
    """The types, and the types of their arrays."""
    listed = [(one.oid, one.name, one.size, one.array, one.category, "b") for one in (*types.TYPES, types.INT2VECTOR)]
    for line in _OTHERS.replace("\n", " ").split(","):
        number, name, *rest = line.split()
        listed.append((int(number), name, int(rest[0]), int(rest[1]), rest[2], rest[3]))
    for oid, name, size, array, category, kind in sorted(listed):
        yield _type(oid, name, size, category, kind, array=array)
        if array:
            pseudo = kind == "p" and name == "record"
            yield _type(array, f"_{name}", -1, "P" if pseudo else "A", "p" if pseudo else "b", element=oid)


def _type(
    oid: int, name: str, size: int, category: str, kind: str, array: int = 0, element: int = 0
) -> dict[str, object]:
    stem = "array_" if element else _STEMS.get(name) or (name if name in _RECEIVED.split() else f"{name}_")
    received, sent = ("-", "-") if name in _NEVER_SENT else (f"{stem}recv", f"{stem}send")
    return {
        "oid": oid, "typname": name, "typnamespace": 11, "typowner": 10, "typlen": size, "typbyval": 0 < size <= 8,
        "typtype": kind, "typcategory": category, "typispreferred": name in _PREFERRED,
        "typisdefined": True, "typdelim": ",", "typrelid": 0, "typsubscript": "-",
        "typelem": element or _ITEMS.get(name, 0), "typarray": array,
        "typinput": f"{stem}in", "typoutput": f"{stem}out", "typreceive": received, "typsend": sent,
        "typmodin": "-", "typmodout": "-", "typanalyze": "-", "typalign": "i", "typstorage": "x" if size < 0 else "p",
        "typnotnull": False, "typbasetype": 0, "typtypmod": -1, "typndims": 0,
        "typcollation": 100 if category == "S" else 0,
    }  # fmt: skip
