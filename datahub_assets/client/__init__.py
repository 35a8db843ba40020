"""The hub's data in Python, by HTTP: to Arrow, polars or pandas, as of any known time.

    from datahub_assets.client import Client

    with Client("https://hub.example:8080", token="dhub_…") as hub:
        prices = hub.rows("px/prices", business_date="2013-01-03").to_polars()
        then = hub.at("month-end").rows("px/prices").to_pandas()

It knows HTTP and nothing of a hub's insides; it comes with the extra ``client``. Read next: docs/http.md.
"""

try:
    import httpx  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("Reading by HTTP needs: pip install 'datahub-assets[client]'", name=error.name) from error

from datahub_assets.client.client import Client, Known
from datahub_assets.client.errors import Interrupted, Refused, Unreachable
from datahub_assets.client.rows import Rows

__all__ = ["Client", "Interrupted", "Known", "Refused", "Rows", "Unreachable"]
