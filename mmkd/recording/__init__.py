"""Records of a teacher: made from a training's data stream, and used by a training."""

from mmkd.recording.following import follow_record

__all__ = ['follow_record']
