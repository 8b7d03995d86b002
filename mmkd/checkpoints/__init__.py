"""Checkpoints: read as data, told apart, and fitted into networks."""
