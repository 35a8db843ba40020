"""A real server of the HTTP door for the clients under test."""

from datahub_assets_tests.unit.serving.http.conftest import http_door, own_http

__all__ = ["http_door", "own_http"]
