"""The command ``mmkd``, and what the programs of tools/ share."""
