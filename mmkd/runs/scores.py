"""Names of scores in logs."""

SCORES = (
    'mIoU',
    'mDice',
    'mFscore',
    'accuracy/top1',
    'multi-label/mAP',
    'single-label/f1-score',
)
"""Main scores, in order of preference if there are several."""

NO_SCORES = ('time', 'data_time')
"""What MMEngine logs for a validation besides its scores."""

OF_HOOKS = ('teacher/', 'collapse_')
"""Prefixes of what mmkd's hooks log for a validation besides the student's scores."""


def is_score(name: str) -> bool:
    """Whether a value logged by validation is a score of the student.

    Args:
        name: Its name in the log.
    """
    return name not in NO_SCORES and not name.startswith(OF_HOOKS)
