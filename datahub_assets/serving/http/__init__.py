"""The HTTP door: rows, datasets and statements for programs, under ``/api/v1``; pages for people stand beside it at ``/``.

It speaks HTTP and nothing else: who sees what is the engine's. Read next: ``app`` (what is served where), ``signing_in``
(who asks), docs/http.md. Everything here comes with the extra ``serve`` and is imported by whoever serves.
"""
