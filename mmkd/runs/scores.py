"""What scores are called in logs."""

SCORES = ('mIoU', 'accuracy/top1', 'multi-label/mAP')
"""The score that leads, where there are several."""
