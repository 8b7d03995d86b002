"""The command ``mmkd``, and code shared by the programs in tools/."""
