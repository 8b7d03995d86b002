"""What ``make demo`` is made of: data, progress and report, but no method."""
