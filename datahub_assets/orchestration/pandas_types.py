"""A contract as a Dagster type for pandas frames: typed hand-overs to assets of your own that work in pandas.

This is where dagster-pandas serves: its types show a frame's columns in the UI and stop a run whose frame lacks one. What
rows may hold is the contract's business and is checked by pandera, before rows are committed.
"""

import dagster as dg
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type

from datahub_assets.schema.contract import Contract


def pandas_type(contract: Contract) -> dg.DagsterType:
    """The type of pandas frames that have the contract's columns; others may be there too.

    For ``AssetIn(…, dagster_type=pandas_type(contract))``: the IO managers give pandas to such an input.
    """
    columns = [PandasColumn(column.name, is_required=True) for column in contract.columns]  # type: ignore[no-untyped-call]
    made: dg.DagsterType = create_dagster_pandas_dataframe_type(  # type: ignore[no-untyped-call]
        name=f"{contract.dataset.replace('/', '_')}_v{contract.version}",
        description=f"Rows of {contract.dataset}, contract version {contract.version}, in pandas.",
        columns=columns,
    )
    return made
