"""A row filter: a SQL condition over one dataset's own columns → an Arrow expression, evaluated below every statement.

A filter is not handed to the engine that runs the statement: rows it hides never get there, so no predicate, error message
or plan of a statement can tell of them. That is why it is a small part of SQL: comparisons of a column with constants (or with a
column of the same type), IN, BETWEEN, LIKE, IS NULL, AND, OR, NOT, ``current_user``. Null is as in SQL: a row where the
condition is not true is hidden. What cannot be translated exactly is refused when the access file is read.
"""

import operator
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from datahub_assets.errors import DeclarationError

_COMPARISONS: dict[type[exp.Expr], tuple[Callable[[Any, Any], Any], type[exp.Expr]]] = {
    exp.EQ: (operator.eq, exp.EQ), exp.NEQ: (operator.ne, exp.NEQ), exp.LT: (operator.lt, exp.GT),
    exp.LTE: (operator.le, exp.GTE), exp.GT: (operator.gt, exp.LT), exp.GTE: (operator.ge, exp.LTE),
}  # fmt: skip
"""Each comparison, and the one that says the same with its sides exchanged."""


_PARTS: dict[type[exp.Expr], str] = {
    exp.And: "this expression", exp.Or: "this expression", exp.Is: "this expression", exp.EQ: "this expression",
    exp.NEQ: "this expression", exp.LT: "this expression", exp.LTE: "this expression", exp.GT: "this expression",
    exp.GTE: "this expression", exp.Paren: "this", exp.Not: "this", exp.Neg: "this", exp.Boolean: "this",
    exp.In: "this expressions", exp.Between: "this low high", exp.Like: "this expression negate",
    exp.Column: "this", exp.Identifier: "this quoted", exp.Literal: "this is_string", exp.Null: "",
    exp.Cast: "this to _type", exp.DataType: "this nested", exp.CurrentUser: "",
}  # fmt: skip
"""What is understood of each kind of node. A node with another part (NOT as a flag, ESCAPE, SYMMETRIC) is refused."""


class _Untranslatable(Exception):
    """A part of the condition that has no exact counterpart."""


def translate(condition: str, schema: pa.Schema, user: str) -> pc.Expression:
    """The condition over rows of the schema, true exactly where SQL says true.

    Raises:
        DeclarationError: not a condition, or one that cannot be translated exactly.
    """
    try:
        tree = sqlglot.parse(condition, dialect="duckdb")
        if len(tree) != 1 or tree[0] is None:
            raise _Untranslatable("one condition is expected")
        _require_understood(tree[0])
        return _Translation(schema, user).condition(tree[0])
    except (SqlglotError, _Untranslatable, pa.ArrowException, ValueError, ArithmeticError) as error:
        raise DeclarationError(
            "Row filter cannot be used", where=repr(condition), got=str(error).splitlines()[0],
            expected="comparisons of columns with constants, IN, BETWEEN, LIKE, IS NULL, AND, OR, NOT, current_user",
        ) from error  # fmt: skip


def _require_understood(tree: exp.Expr) -> None:
    for node in tree.walk():
        if type(node) not in _PARTS or {part for part, value in node.args.items() if value} - set(
            _PARTS[type(node)].split()
        ):
            raise _Untranslatable(f"{node.sql(dialect='duckdb')} is not one of them")


class _Translation:
    def __init__(self, schema: pa.Schema, user: str) -> None:
        self._schema, self._user = schema, user

    def condition(self, node: exp.Expr) -> pc.Expression:
        match node:
            case exp.Paren():
                return self.condition(node.this)
            case exp.And():
                return self.condition(node.left) & self.condition(node.right)
            case exp.Or():
                return self.condition(node.left) | self.condition(node.right)
            case exp.Not():
                return ~self.condition(node.this)
            case exp.Boolean():
                return pc.scalar(bool(node.this))
            case exp.Is() if isinstance(node.expression, exp.Null):
                return self._column(node.this)[0].is_null()
            case exp.In() if node.expressions:
                return self._any_of(node.this, node.expressions)
            case exp.Between():
                low, high = node.args["low"], node.args["high"]
                return self._compare(exp.GTE, node.this, low) & self._compare(exp.LTE, node.this, high)
            case exp.Like():
                return self._like(node)
            case exp.Column():
                return self._flag(node)
        if type(node) in _COMPARISONS:
            assert isinstance(node, exp.Binary)
            return self._compare(type(node), node.left, node.right)
        raise _Untranslatable(f"{node.sql(dialect='duckdb')} is not one of them")

    def _compare(self, kind: type[exp.Expr], left: exp.Expr, right: exp.Expr) -> pc.Expression:
        compare, exchanged = _COMPARISONS[kind]
        left, right = left.unnest(), right.unnest()
        if not self._is_column(left):
            left, right, (compare, _) = right, left, _COMPARISONS[exchanged]
        field, arrow = self._column(left)
        if self._is_column(right):
            other, other_type = self._column(right)
            if other_type != arrow or pa.types.is_floating(arrow):
                raise _Untranslatable(f"{left.sql()} and {right.sql()} are {arrow} and {other_type}")
            return compare(field, other)
        compared: pc.Expression = compare(field, self._constant(right, arrow))
        if pa.types.is_floating(arrow) and compare in (operator.gt, operator.ge):
            return compared | (field != field)  # SQL here orders NaN above all numbers
        return compared

    def _any_of(self, column: exp.Expr, values: list[exp.Expr]) -> pc.Expression:
        field, arrow = self._column(column.unnest())
        if pa.types.is_floating(arrow):
            raise _Untranslatable(f"{column.sql()} is a float")
        constants = pa.array([self._constant(value.unnest(), arrow).as_py() for value in values], arrow)
        return pc.if_else(field.is_valid(), field.isin(constants), pa.scalar(None, pa.bool_()))

    def _like(self, node: exp.Like) -> pc.Expression:
        field, arrow = self._column(node.this)
        pattern = self._constant(node.expression, arrow)
        if not pa.types.is_string(arrow) or "\\" in pattern.as_py():
            raise _Untranslatable("LIKE compares a text column with a pattern without escapes")
        found: pc.Expression = pc.match_like(field, pattern.as_py())
        return ~found if node.args.get("negate") else found

    def _flag(self, node: exp.Column) -> pc.Expression:
        field, arrow = self._column(node)
        if not pa.types.is_boolean(arrow):
            raise _Untranslatable(f"{node.sql()} is {arrow}, not true or false")
        return field

    def _is_column(self, node: exp.Expr) -> bool:
        return isinstance(node, exp.Column) and (node.name in self._schema.names or node.name != "current_user")

    def _column(self, node: exp.Expr) -> tuple[pc.Expression, pa.DataType]:
        node = node.unnest()
        if not isinstance(node, exp.Column) or node.table:
            raise _Untranslatable(f"{node.sql(dialect='duckdb')} is not a column of the dataset")
        if node.name not in self._schema.names:
            raise _Untranslatable(f"no column {node.name}")
        return pc.field(node.name), self._schema.field(node.name).type

    def _constant(self, node: exp.Expr, arrow: pa.DataType) -> pa.Scalar:
        if isinstance(node, exp.Cast):
            node = self._cast(node, arrow)
        value = self._value(node)
        if pa.types.is_string(arrow) and isinstance(value, str):
            return pa.scalar(value, arrow)
        if pa.types.is_boolean(arrow) and isinstance(value, bool):
            return pa.scalar(value, arrow)
        if pa.types.is_date(arrow) and isinstance(value, str):
            return pa.scalar(date.fromisoformat(value), arrow)
        if pa.types.is_timestamp(arrow) and isinstance(value, str):
            instant = datetime.fromisoformat(value)
            if instant.tzinfo is None:
                raise _Untranslatable(f"{value} has no time zone")
            return pa.scalar(instant, arrow)
        if isinstance(value, Decimal):
            if pa.types.is_floating(arrow):
                return pa.scalar(float(value), arrow)
            if pa.types.is_integer(arrow) and value == value.to_integral_value():
                return pa.scalar(int(value), arrow)
            if pa.types.is_decimal(arrow):
                return pa.scalar(value, arrow)
        raise _Untranslatable(f"{node.sql(dialect='duckdb')} is not a value of type {arrow}")

    def _cast(self, node: exp.Cast, arrow: pa.DataType) -> exp.Expr:
        """A text cast to the column's own type: a date or an instant. Reading it as that type is what the cast does."""
        is_date = node.to.is_type("date") and pa.types.is_date(arrow)
        if (
            not (is_date or (node.to.is_type("timestamptz") and pa.types.is_timestamp(arrow)))
            or not node.this.is_string
        ):
            raise _Untranslatable(f"{node.sql(dialect='duckdb')} is not a value of type {arrow}")
        literal: exp.Expr = node.this
        return literal

    def _value(self, node: exp.Expr) -> str | Decimal | bool:
        match node:
            case exp.Literal():
                return str(node.this) if node.is_string else Decimal(node.this)
            case exp.Neg():
                value = self._value(node.this)
                if isinstance(value, Decimal):
                    return -value
            case exp.Boolean():
                return bool(node.this)
            case exp.CurrentUser():
                return self._user
            case exp.Column() if node.name == "current_user":
                return self._user
        raise _Untranslatable(f"{node.sql(dialect='duckdb')} is not a constant")
