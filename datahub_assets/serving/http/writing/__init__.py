"""Rows as bytes in each format: batches in, pieces of a file out, no more of it in memory than a batch.

Nothing here knows HTTP. ``formats`` has the table of them; ``shaping`` gives every writer batches that it can write.
"""
