from typing import Any

import pytest

from mmkd.models import Distiller

FEATURE = dict(fitnet=dict(type='FitNet', stage=0))


def test_a_teacher_of_the_other_task_is_refused(tiny: Any) -> None:
    pixels, images = tiny.segmentor(), tiny.classifier()

    match = 'Decoder classifies pixels and the teacher ImageClassifier images'
    with pytest.raises(ValueError, match=match):
        Distiller(student=pixels, teacher=tiny.teacher(images), methods=FEATURE)
    match = 'Classifier classifies images and the teacher EncoderDecoder pixels'
    with pytest.raises(ValueError, match=match):
        Distiller(student=images, teacher=tiny.teacher(pixels), methods=FEATURE)


def with_channels(model: dict[str, Any], count: int) -> dict[str, Any]:
    model['backbone']['in_channels'] = count
    # Preprocessors take as many values as there are channels, or one.
    model['data_preprocessor'].update(mean=[100.0], std=[50.0])
    return model


@pytest.mark.parametrize('counts', [(1, 3), (3, 1), (4, 3)])
def test_images_of_other_channels_are_refused(
    tiny: Any, task: str, counts: tuple[int, int]
) -> None:
    student, teacher = (with_channels(tiny.model(task), count) for count in counts)
    said = f'images with {counts[0]} channels and the teacher .* with {counts[1]}:'

    with pytest.raises(ValueError, match=said):
        Distiller(student=student, teacher=tiny.teacher(teacher), methods=FEATURE)


def test_images_of_four_channels(tiny: Any, task: str) -> None:
    student, teacher = (with_channels(tiny.model(task), 4) for _ in range(2))

    distiller = Distiller(
        student=student, teacher=tiny.teacher(teacher), methods=FEATURE
    )

    assert distiller.student_view.in_channels == 4
