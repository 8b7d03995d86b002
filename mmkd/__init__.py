import mmkd.compat
