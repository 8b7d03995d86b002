"""A canvas seen by a pinhole camera, which paints image and label map together."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

TRAIN_IDS = {
    'road': 0,
    'sidewalk': 1,
    'building': 2,
    'fence': 4,
    'pole': 5,
    'traffic sign': 7,
    'vegetation': 8,
    'sky': 10,
    'person': 11,
    'rider': 12,
    'car': 13,
    'bus': 15,
    'bicycle': 18,
}
"""The Cityscapes classes that the scenes show, and their labels in its files."""

VOID = 255
"""The label of pixels without a class, as in Cityscapes."""

Point = tuple[float, float, float]
"""Metres to the right of the camera, above the road and ahead of the camera."""

Colour = np.ndarray
"""Blue, green and red, 0 to 255."""


class Canvas:
    """An image and its label map; later objects hide earlier ones.

    Args:
        size: Height and width in pixels.
        vanishing_point: Where the road meets the horizon, column and row.
        focal_length: Focal length of the camera in pixels.
        eye_height: Height of the camera above the road in metres.
        haze: The colour that distant things fade to.
        visibility: The distance in metres at which colours have faded by 63%.

    Attributes:
        image: BGR, float32 of shape ``(H, W, 3)``.
        labels: Train ids, uint8 of shape ``(H, W)``.
    """

    def __init__(
        self,
        size: tuple[int, int],
        vanishing_point: tuple[float, float],
        focal_length: float,
        eye_height: float,
        haze: Colour,
        visibility: float,
    ) -> None:
        self.image = np.zeros((*size, 3), np.float32)
        self.labels = np.full(size, VOID, np.uint8)
        self._vanishing_point = vanishing_point
        self._focal_length = focal_length
        self._eye_height = eye_height
        self._haze = haze
        self._visibility = visibility

    def polygon(self, points: Sequence[Point], colour: Colour, name: str) -> None:
        """Paint a polygon of the named class with these corners."""
        depth = sum(z for _, _, z in points) / len(points)
        corners = self._project(points)
        cv2.fillPoly(self.image, [corners], self._faded(colour, depth))
        cv2.fillPoly(self.labels, [corners], TRAIN_IDS[name])

    def box(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: float,
        colour: Colour,
        name: str,
    ) -> None:
        """Paint an upright rectangle that faces the camera."""
        corners = [(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)]
        self.polygon(corners, colour, name)

    def flank(
        self,
        x: float,
        y: tuple[float, float],
        z: tuple[float, float],
        colour: Colour,
        name: str,
    ) -> None:
        """Paint an upright rectangle that runs along the street."""
        corners = [(x, y[0], z[0]), (x, y[0], z[1]), (x, y[1], z[1]), (x, y[1], z[0])]
        self.polygon(corners, colour, name)

    def ground(
        self,
        x: tuple[float, float],
        z: tuple[float, float],
        colour: Colour,
        name: str,
    ) -> None:
        """Paint a rectangle that lies on the street."""
        corners = [(x[0], 0, z[0]), (x[1], 0, z[0]), (x[1], 0, z[1]), (x[0], 0, z[1])]
        self.polygon(corners, colour, name)

    def ellipse(
        self,
        centre: Point,
        radii: tuple[float, float],
        colour: Colour,
        name: str,
        line: float = 0.0,
    ) -> None:
        """Paint an ellipse that faces the camera.

        Args:
            centre: Its centre.
            radii: Its half width and half height in metres.
            colour: Its colour.
            name: Its class.
            line: Thickness of the outline in metres; 0 fills the ellipse.
        """
        scale = self._focal_length / centre[2]
        axes = [max(1, round(radius * scale)) for radius in radii]
        thickness = max(1, round(line * scale)) if line else cv2.FILLED
        middle = self._project([centre])[0].tolist()
        faded = self._faded(colour, centre[2])
        cv2.ellipse(self.image, middle, axes, 0, 0, 360, faded, thickness)
        cv2.ellipse(self.labels, middle, axes, 0, 0, 360, TRAIN_IDS[name], thickness)

    def shade(self, points: Sequence[Point], strength: float) -> None:
        """Darken a polygon by a factor, without changing labels."""
        light = np.ones(self.labels.shape, np.float32)
        cv2.fillPoly(light, [self._project(points)], strength)
        self.image *= light[..., None]

    def _project(self, points: Sequence[Point]) -> np.ndarray:
        column, row = self._vanishing_point
        pixels = [
            (
                round(column + self._focal_length * x / z),
                round(row + self._focal_length * (self._eye_height - y) / z),
            )
            for x, y, z in points
        ]
        return np.array(pixels, np.int32)

    def _faded(self, colour: Colour, depth: float) -> list[float]:
        kept = math.exp(-depth / self._visibility)
        return (kept * colour + (1 - kept) * self._haze).tolist()
