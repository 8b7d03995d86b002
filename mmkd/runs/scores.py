"""What scores are called in logs."""

SCORES = ('mIoU', 'accuracy/top1', 'multi-label/mAP')
"""The score that leads, where there are several."""

NO_SCORES = ('time', 'data_time')
"""What MMEngine logs of a validation beside its scores."""

OF_HOOKS = ('teacher/', 'collapse_')
"""How begins what mmkd's hooks log of one beside the student's scores."""


def is_score(name: str) -> bool:
    """Whether what a validation logged is a score of the student.

    Args:
        name: In the log.
    """
    return name not in NO_SCORES and not name.startswith(OF_HOOKS)
