"""Synthetic street scenes with several of the Cityscapes classes."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from mmkd_demo import street_things as things
from mmkd_demo.canvas import TRAIN_IDS, VOID, Canvas
from mmkd_demo.folders import save_image, write_once

VERSION = 1
"""Increase this when the drawing changes, so that older scenes are replaced."""

SIZE = (96, 192)
"""Height and width of a scene in pixels."""

OVERSAMPLING = 2

# Strength of a surface's grain in grey levels, at three scales from fine to
# coarse. Colours overlap, so that a network needs texture and shape to
# distinguish a grey wall from a grey road.
GRAIN = {
    'road': (6, 4, 4),
    'sidewalk': (8, 10, 2),
    'building': (4, 6, 8),
    'fence': (16, 4, 2),
    'vegetation': (14, 22, 14),
    'sky': (1, 2, 14),
}


def draw_scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a street with random layout, traffic, weather and light.

    Args:
        seed: The same seed draws the same scene.

    Returns:
        The BGR image, uint8 of shape ``(H, W, 3)``, and its train ids, uint8
        of shape ``(H, W)``, 255 for ignored pixels.
    """
    return Street(np.random.default_rng(seed)).draw()


class Street:
    """A straight street, laid out in metres, and the objects in it.

    Args:
        rng: The generator for all random choices of the scene.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        height, width = (side * OVERSAMPLING for side in SIZE)
        self.canvas = Canvas(
            (height, width),
            vanishing_point=(
                width * rng.uniform(0.3, 0.7),
                height * rng.uniform(0.36, 0.52),
            ),
            focal_length=width * rng.uniform(0.65, 0.9),
            eye_height=rng.uniform(1.3, 2.4),
            haze=things.grey(rng, 150, 220),
            visibility=rng.uniform(60, 300),
        )
        self.kerb = rng.uniform(3.0, 5.0)
        self.wall = self.kerb + rng.uniform(1.8, 4.5)

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        """Draw everything, far to near, and take the photograph."""
        self._sky_and_ground()
        for side in (-1, 1):
            self._walls(side)
        self._shadows()
        # Nothing between the walls can hide behind them.
        for z, x, thing in sorted(self._things(), key=lambda place: -place[0]):
            thing(self.canvas, self.rng, x, z)
        return self._photograph()

    def _sky_and_ground(self) -> None:
        rng, canvas = self.rng, self.canvas
        canvas.image[:] = things.grey(rng, 130, 240)
        canvas.labels[:] = TRAIN_IDS['sky']
        pavement, asphalt = things.grey(rng, 60, 180), things.grey(rng, 50, 150)
        # In strips, because each fades into the haze with its distance.
        for far, near in pairwise(np.geomspace(90, 0.5, 12)):
            canvas.ground((-60, 60), (near, far), pavement, 'sidewalk')
            canvas.ground((-self.kerb, self.kerb), (near, far), asphalt, 'road')
        marking = asphalt + rng.uniform(0, 110)
        for far in range(60, 4, -6):
            canvas.ground((-0.1, 0.1), (far - 2.5, far), marking, 'road')

    def _walls(self, side: int) -> None:
        kinds = (things.building, things.hedge, things.fence, None)
        far = 80.0
        while far > 3:
            near = max(far - self.rng.uniform(4, 18), 2.0)
            kind = self.rng.choice(len(kinds), p=(0.46, 0.18, 0.3, 0.06))
            wall = kinds[kind]
            if wall is not None:
                wall(self.canvas, self.rng, side * self.wall, (near, far))
            far = near

    def _shadows(self) -> None:
        for _ in range(self.rng.poisson(2.5)):
            x, z = self.rng.uniform(-self.wall, self.wall), self.rng.uniform(3, 25)
            wide, deep = self.rng.uniform(1, 8), self.rng.uniform(1.1, 1.6)
            skew = self.rng.uniform(-4, 4)
            near, far = [(x, 0, z), (x + wide, 0, z)], z * deep
            corners = [*near, (x + wide + skew, 0, far), (x + skew, 0, far)]
            self.canvas.shade(corners, self.rng.uniform(0.4, 0.8))

    def _things(self) -> list[tuple[float, float, Callable[..., None]]]:
        """The objects in the street, each as ``(z, x, how to paint it)``."""
        rng, kerb, wall = self.rng, self.kerb, self.wall
        kinds: list[tuple[Callable[..., None], float, tuple[float, float], float]] = [
            (things.pole, 4.0, (kerb + 0.2, kerb + 0.8), 6.0),
            (things.tree, 2.0, (kerb + 0.5, wall), 7.0),
            (things.person, 4.0, (kerb - 0.5, wall), 5.0),
            (things.parked_bicycle, 1.5, (kerb + 0.2, wall), 5.0),
            (things.cyclist, 2.0, (0.5, kerb), 5.0),
            (things.car, 2.5, (1.2, kerb - 0.8), 7.0),
            (things.bus, 0.7, (1.4, kerb - 0.5), 9.0),
        ]
        places = []
        for thing, number, (inner, outer), nearest in kinds:
            for _ in range(rng.poisson(number)):
                z = nearest * rng.uniform(1.0, 2.0) ** 2
                x = rng.choice([-1, 1]) * rng.uniform(inner, outer)
                places.append((z, x, thing))
        return places

    def _photograph(self) -> tuple[np.ndarray, np.ndarray]:
        rng, (height, width) = self.rng, SIZE
        step = OVERSAMPLING
        labels = self.canvas.labels[::step, ::step].copy()
        image: np.ndarray = cv2.resize(
            self.canvas.image, (width, height), interpolation=cv2.INTER_AREA
        )
        strength = np.zeros((256, 3), np.float32)
        for name, levels in GRAIN.items():
            strength[TRAIN_IDS[name]] = levels
        for scale, amount in zip((1, 2, 6), strength.T, strict=True):
            coarse = rng.normal(size=(height // scale + 1, width // scale + 1))
            grain = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
            image += (amount[labels] * grain)[..., None]
        image *= rng.uniform(0.6, 1.15) + rng.normal(0, 0.03, 3)
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.8))
        image = image + rng.normal(0, rng.uniform(2, 9), image.shape)
        # In Cityscapes the bonnet of the camera's own car is unlabelled.
        bonnet = (width // 2, height + 20), (width // 2, int(rng.integers(18, 30)))
        cv2.ellipse(image, *bonnet, 0, 0, 360, things.grey(rng, 20, 80).tolist(), -1)
        cv2.ellipse(labels, *bonnet, 0, 0, 360, VOID, -1)
        return image.clip(0, 255).astype(np.uint8), labels


def write_street_scenes(folder: Path, train: int = 500, val: int = 100) -> bool:
    """Write street scenes in the folder layout and file names of Cityscapes.

    Args:
        folder: The data root, for ``leftImg8bit/{train,val}/demo`` and
            ``gtFine/{train,val}/demo``.
        train: Number of training scenes.
        val: Number of validation scenes.

    Returns:
        Whether they were written; False if they were complete already.
    """

    def write(folder: Path) -> None:
        for split, first, count in (('train', 0, train), ('val', train, val)):
            for seed in range(first, first + count):
                image, labels = draw_scene(seed)
                name = f'{split}/demo/demo_{seed:06d}'
                save_image(folder / f'leftImg8bit/{name}_leftImg8bit.png', image)
                path = folder / f'gtFine/{name}_gtFine_labelTrainIds.png'
                save_image(path, labels)

    contents = {'drawing': VERSION, 'train': train, 'val': val}
    return write_once(folder, contents, write)
