"""An HTML page about runs."""
