"""Keyed rows of bytes: the interface and its embedded implementation."""
