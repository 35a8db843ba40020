"""The hub in Dagster: assets, partitions, checks, IO managers, sensors and schedules, built from the catalogue.

Bodies are a few lines: the work is ``operations``', the declarations are the catalogue's. Read next: ``build``.
"""
