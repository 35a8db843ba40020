"""How much one server gives to statements, and one statement gets."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of one process that serves.

    A statement is *open* from its execution until its answer is closed, and *running* while rows are computed; an answer
    that waits for its reader holds memory, and no processor.
    """

    open_statements: int = 32
    open_statements_a_user: int = 8
    running_statements: int = 4
    queue_seconds: float = 30.0
    """How long a statement waits for a place before it is refused."""
    statement_seconds: float = 300.0
    """Computing time of a statement; waiting for its reader does not count."""
    idle_seconds: float = 900.0
    """How long an open answer may wait for its reader."""
    memory: str = "1GB"
    """Memory of DuckDB for one statement; it goes on in ``temporary`` files beyond."""
    temporary: str = "10GB"
    threads: int = 0
    """Threads of one statement; 0: one a processor."""
