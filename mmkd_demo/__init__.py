"""Data and picture of ``make demo``; it contains no method."""
