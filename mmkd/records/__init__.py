"""What a teacher said of views, stored: the format alone.

A record is a folder. ``manifest.json`` says what was recorded and of what,
``samples.txt`` lists the samples, and each ``shard_*.npy`` holds the rows of some
views: NumPy's own format, which every NumPy maps into memory and reads row by row
without unpickling. A row is one block of the file, so that a view is one read.
"""

from mmkd.records.manifest import RecordError, read_manifest
from mmkd.records.rows import Rows
from mmkd.records.stored import StoredTap

__all__ = ['RecordError', 'Rows', 'StoredTap', 'read_manifest']
