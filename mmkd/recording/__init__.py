"""Records of a teacher: made from a training's stream, and followed by a training."""

from mmkd.recording.following import follow_record

__all__ = ['follow_record']
