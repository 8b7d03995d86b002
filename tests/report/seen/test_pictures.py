import base64

import cv2
import numpy as np

from mmkd.report.seen.pictures import HELPED, HURT, class_map, data_uri, marked


def decoded(uri: str) -> np.ndarray:
    head, _, data = uri.partition(',')
    assert head == 'data:image/webp;base64'
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), 1)[..., ::-1]


def test_maps_have_the_colours_of_their_classes() -> None:
    palette = np.array([[10, 20, 30], [200, 100, 0]], np.uint8)
    classes = np.array([[0, 1], [-1, 7]])
    assert decoded(class_map(classes, palette)).tolist() == [
        [[10, 20, 30], [200, 100, 0]],
        [[128, 128, 128], [128, 128, 128]],
    ]


def test_photographs_are_small_and_alike() -> None:
    image = np.full((40, 60, 3), (200, 50, 100), np.uint8)
    assert len(data_uri(image)) < 400
    assert np.abs(decoded(data_uri(image)).astype(int) - image).max() < 12


def test_what_helped_is_blue_and_what_hurt_is_not() -> None:
    image = np.full((32, 48, 3), 90, np.uint8)
    helped, hurt = np.zeros((2, 32, 48), bool)
    helped[:, :16], hurt[:, 32:] = True, True
    found = decoded(marked(image, helped, hurt)).astype(int)
    for column, colour in ((8, HELPED), (40, HURT)):
        assert np.abs(found[16, column] - colour).max() < 40
    assert np.ptp(found[16, 24]) < 8
