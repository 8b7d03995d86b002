"""Configs: read, put together from pairs and methods, and changed by commands."""
