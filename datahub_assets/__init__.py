"""The data hub of an asset manager: raw vault, versioned structured tables, published extracts, all explained.

Read next: ``docs/architecture.md`` for the rooms of this package and which way imports point.
"""

__version__ = "0.1.0"
