"""``python -m datahub_assets``: the same as the command ``datahub``."""

from datahub_assets.cli.main import app

app(prog_name="datahub")
