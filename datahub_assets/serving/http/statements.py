"""``POST /sql``: a statement and its parameters, through the same gate as by any other door."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, ConfigDict, Field

from datahub_assets.serving.http import answering
from datahub_assets.serving.http.asking import Written
from datahub_assets.serving.http.examples import ANY_ROWS
from datahub_assets.serving.http.sending import Begun, Sending
from datahub_assets.serving.http.signing_in import Asking

router = APIRouter(tags=["sql"])
_EXAMPLE: Any = {
    "sql": "SELECT portfolio, sum(market_value) AS value FROM analytics.valuations WHERE business_date = $1 GROUP BY 1",
    "parameters": ["2024-01-31"],
}


class Statement(BaseModel):
    """One statement."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    sql: str = Field(description="One query; DuckDB's dialect, relations as domain.name.")
    parameters: list[Any] | dict[str, Any] = Field(
        default_factory=list, description="Values for `$1`, `$2` … or, by name, for `$name`."
    )


@router.post("/sql", responses=ANY_ROWS, response_class=Response)
def sql(session: Asking, wanted: Written, statement: Annotated[Statement, Body()]) -> Response:
    """The answer to one statement, streamed, in any format."""

    def begin() -> Begun:
        answer = session.execute(statement.sql, statement.parameters)
        rows = answering.Rows(answer.schema, answering.begun(answer), answer.moment, "answer")
        headers = {**answering.headers(rows, wanted), "Cache-Control": "private, no-store"}
        return Begun(answering.pieces(rows, wanted), headers, over=answer.close)

    return Sending(begin, session.cancel)
