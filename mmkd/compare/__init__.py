"""Trainings of one pair that differ only in their methods, and their results."""
