"""Reading configs, assembling them from pairs and methods, and changing them."""
