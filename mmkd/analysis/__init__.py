"""The papers' analyses, on your own trainings."""
