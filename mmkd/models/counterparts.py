"""Whether a teacher sees what its student sees."""

from mmkd.models.discovery import ModelView


def check_counterparts(student: ModelView, teacher: ModelView) -> None:
    """Refuse a teacher for another task or for other images.

    Args:
        student: The student.
        teacher: The teacher.

    Raises:
        ValueError: If one classifies images and the other pixels, or their images
            have different numbers of channels.
    """
    names = [type(view.model).__name__ for view in (student, teacher)]
    tasks = [view.task.classified for view in (student, teacher)]
    if tasks[0] != tasks[1]:
        raise ValueError(
            f'the student {names[0]} classifies {tasks[0]} and the teacher {names[1]} '
            f'{tasks[1]}: pass config and checkpoint of a teacher for the same task.'
        )
    channels = [view.in_channels for view in (student, teacher)]
    if channels[0] != channels[1]:
        raise ValueError(
            f'the student {names[0]} takes images with {channels[0]} channels and the '
            f'teacher {names[1]} with {channels[1]}: pass a teacher for the same '
            'images (in_channels of the backbone).'
        )
