"""Columns, logical types, contracts and what follows from them alone (pandera schemas, evolution).

No file, no store, no clock. Read next: ``types`` (logical types), ``contract`` (columns and keys), ``validation``
(contract → pandera), ``evolution`` (one contract version to the next).
"""
