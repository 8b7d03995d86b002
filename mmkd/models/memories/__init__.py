"""Memories of earlier batches, identical in every process."""

from mmkd.models.memories.class_queue import ClassQueue
from mmkd.models.memories.contrast import ContrastMemory
from mmkd.models.memories.gather import rows_of_processes

__all__ = ['ClassQueue', 'ContrastMemory', 'rows_of_processes']
