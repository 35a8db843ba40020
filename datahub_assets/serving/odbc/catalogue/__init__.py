"""``pg_catalog`` and ``information_schema`` as a person sees them: what drivers and tools ask before they ask for data.

``declared`` has the relations' columns, ``rows`` and ``information`` their rows, ``functions`` and ``rewriting`` what catalogue
queries call. Everything is made from ``Session.relations()``: what a person may not see is not in it.
"""

from datahub_assets.serving.odbc.catalogue.system import system

__all__ = ["system"]
