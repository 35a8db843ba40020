"""The ODBC door: the PostgreSQL wire protocol over ``serving``'s sessions, for stock psqlODBC and every client of PostgreSQL.

Three layers, each testable without the one above: ``protocol`` with ``messages`` and ``replies`` (bytes and states, no
socket, no session), ``conversation`` (what each message does to a session; no socket), ``server`` (sockets, TLS, threads).
``text``, ``binary`` and ``rows`` write Arrow columns as PostgreSQL's values; ``catalogue`` is ``pg_catalog`` as a person sees
it. Rights, positions and limits are ``serving``'s; nothing here decides who reads what. Read next: docs/odbc.md.
"""
