"""The hub's work, without Dagster: receive, structure, publish, and what looks after them.

One straight way for the CLI, the assets and the demo alike. Decisions about frames are in the core (``history``,
``parsing``); here they meet the stores. Read next: ``hub`` (what is opened), ``receive``, ``structure``, ``publish``.
"""
