"""What the papers' analyses show, on trainings of one's own."""
