"""The file format of a teacher's recorded values.

A record is a folder. ``manifest.json`` describes what was recorded and from what,
``samples.txt`` lists the samples, and each ``shard_*.npy`` holds the rows of some
views, in NumPy's own format: every NumPy can memory-map it and read it row by row
without unpickling. A row is one block of the file, so that a view takes one read.
"""

from mmkd.records.manifest import RecordError, read_manifest
from mmkd.records.rows import Rows
from mmkd.records.stored import StoredTap

__all__ = ['RecordError', 'Rows', 'StoredTap', 'read_manifest']
