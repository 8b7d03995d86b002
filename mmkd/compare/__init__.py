"""Trainings of one pair that differ in their methods alone, and what came of them."""
