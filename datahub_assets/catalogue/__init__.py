"""What is declared: models of the catalogue files, loading and checking them, calendars, column lineage of extracts.

Read next: ``models`` (what a file may say), ``loading`` (a folder → a Catalogue, every problem at once).
"""
