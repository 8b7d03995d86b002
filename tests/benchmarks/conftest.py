from dataclasses import replace

import pytest

from benchmarks.pairs import IMAGES, PIXELS
from benchmarks.training import Workshop
from mmkd.config.experiments import CONFIGS

TINY = {
    'images': replace(
        IMAGES,
        name='resnet20_resnet8_tin100',
        student=str(CONFIGS / 'students' / 'resnet8_tin100.py'),
        batch=4,
    ),
    'pixels': replace(
        PIXELS,
        name='deeplabv3-w48_deeplabv3-w16_camvid',
        student=str(CONFIGS / 'students' / 'deeplabv3-w16_camvid.py'),
        size=(32, 64),
    ),
}
"""Pairs of the same two kinds that run quickly."""


@pytest.fixture(scope='session', params=TINY)
def workshop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Workshop:
    return Workshop(TINY[request.param], tmp_path_factory.mktemp(request.param))
