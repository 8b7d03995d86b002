"""Objects in a street: each function paints one at a given position.

Every function takes the canvas, the generator for the random look of the
object, and its position: ``x`` metres to the right, ``z`` metres ahead.
"""

import numpy as np

from mmkd_demo.canvas import Canvas, Colour

GLASS = np.array([70.0, 55.0, 45.0])
RUBBER = np.array([35.0, 32.0, 32.0])
SIGNS = np.array([[170.0, 80, 20], [40, 30, 190], [60, 200, 225], [225, 225, 225]])
LAMPS = np.array([[40.0, 40, 210], [235, 235, 235]])


def grey(rng: np.random.Generator, low: float, high: float) -> Colour:
    """A colour close to grey, like most of a street."""
    return rng.uniform(low, high) + rng.normal(0, 12, 3)


def paint(rng: np.random.Generator) -> Colour:
    """Any colour of cars, clothes or signs."""
    return rng.uniform(20, 235) + rng.normal(0, 45, 3)


def building(
    canvas: Canvas, rng: np.random.Generator, x: float, z: tuple[float, float]
) -> None:
    """A house whose front, with windows, runs along the street."""
    near, far = z
    height, outward = rng.uniform(5, 16), np.sign(x) * 15
    colour, pane = grey(rng, 60, 190), rng.uniform(0.45, 0.9)
    floor, bay = rng.uniform(2.6, 3.6), rng.uniform(2.0, 3.5)
    gable = colour * rng.uniform(0.75, 0.95)
    canvas.box((x, x + outward), (0, height), near, gable, 'building')
    canvas.flank(x, (0, height), z, colour, 'building')
    for bottom in np.arange(1.0, height - 2.0, floor):
        for start in np.arange(near + 0.7, far - 0.7, bay):
            rise, run = (bottom, bottom + 0.5 * floor), (start, start + 0.5 * bay)
            canvas.flank(x, rise, run, colour * pane, 'building')


def fence(
    canvas: Canvas, rng: np.random.Generator, x: float, z: tuple[float, float]
) -> None:
    """A fence along the street, about as high as a hedge or a car."""
    rise, colour = (0, rng.uniform(0.9, 2.0)), grey(rng, 60, 180)
    canvas.flank(x, rise, z, colour, 'fence')
    dark = colour * rng.uniform(0.55, 0.8)
    for start in np.arange(*z, 0.7):
        canvas.flank(x, rise, (start, start + 0.3), dark, 'fence')


def leaves(rng: np.random.Generator) -> Colour:
    """The colour of a plant, from fresh green to the grey of a dull day."""
    return rng.uniform(0.5, 1.4) * (np.array([55.0, 95, 75]) + rng.normal(0, 12, 3))


def hedge(
    canvas: Canvas, rng: np.random.Generator, x: float, z: tuple[float, float]
) -> None:
    """A row of bushes along the street."""
    colour, height = leaves(rng), rng.uniform(0.5, 3.0)
    for depth in np.arange(z[1], z[0], -0.8):
        size = height * rng.uniform(0.7, 1.2)
        centre = (x + np.sign(x), size / 2, depth)
        shade = colour * rng.uniform(0.8, 1.2)
        canvas.ellipse(centre, (1.5, size), shade, 'vegetation')


def tree(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A trunk, no wider than a pole, and a crown of overlapping blobs."""
    trunk, height = rng.uniform(0.1, 0.2), rng.uniform(2.5, 4.5)
    canvas.box((x - trunk, x + trunk), (0, height), z, grey(rng, 40, 110), 'vegetation')
    colour = leaves(rng)
    for _ in range(7):
        dx, dy = rng.normal(0, 0.8, 2)
        radii = tuple(rng.uniform(0.5, 1.4, 2))
        shade = colour * rng.uniform(0.75, 1.25)
        canvas.ellipse((x + dx, height + 0.8 + dy, z), radii, shade, 'vegetation')


def pole(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A lamp post, or a lower post with a traffic sign."""
    half, colour = rng.uniform(0.09, 0.16), grey(rng, 50, 170)
    signed = rng.random() < 0.65
    height = rng.uniform(2.2, 3.2) if signed else rng.uniform(4, 8)
    canvas.box((x - half, x + half), (0, height), z, colour, 'pole')
    if not signed:
        arm = -np.sign(x) * rng.uniform(0.8, 2.0)
        canvas.box((x, x + arm), (height - 0.15, height), z, colour, 'pole')
        return
    size, face = rng.uniform(0.35, 0.6), SIGNS[rng.integers(len(SIGNS))]
    shape = rng.integers(3)
    if shape == 0:
        canvas.ellipse((x, height, z), (size, size), face, 'traffic sign')
        canvas.ellipse((x, height, z), (size / 2, size / 2), paint(rng), 'traffic sign')
    elif shape == 1:
        tips = [(x - size, height - size, z), (x + size, height - size, z)]
        canvas.polygon([*tips, (x, height + size, z)], face, 'traffic sign')
    else:
        sides = (x - size, x + size), (height - size, height + size)
        canvas.box(*sides, z, face, 'traffic sign')


def person(
    canvas: Canvas,
    rng: np.random.Generator,
    x: float,
    z: float,
    name: str = 'person',
    feet: float = 0.0,
) -> None:
    """Legs, body and head; a rider's feet are off the ground."""
    tall = rng.uniform(1.45, 1.95) - feet * 0.4
    hip, neck = feet + 0.45 * tall, feet + 0.82 * tall
    legs, coat = paint(rng), paint(rng)
    stride = rng.uniform(0.05, 0.3)
    for foot in (-stride, stride):
        leg = [(x + foot, feet, z), (x + foot + 0.14, feet, z)]
        canvas.polygon([*leg, (x + 0.16, hip, z), (x - 0.16, hip, z)], legs, name)
    middle = (hip + neck) / 2
    canvas.ellipse((x, middle, z), (0.25, neck - middle + 0.08), coat, name)
    skin = np.array([90.0, 120, 165]) * rng.uniform(0.5, 1.2)
    canvas.ellipse((x, neck + 0.15, z), (0.13, 0.17), skin, name)


def cyclist(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A rider on a bicycle, seen from behind, at an angle or from the side."""
    length, colour = rng.uniform(0.15, 0.55), grey(rng, 20, 120)
    for wheel in (-length, length):
        radii = (0.34 * min(1.0, 0.3 + length), 0.34)
        canvas.ellipse((x + wheel, 0.34, z), radii, RUBBER, 'bicycle', line=0.14)
    frame = (x - length, x + length), (0.45, 0.7)
    canvas.box(*frame, z, colour, 'bicycle')
    person(canvas, rng, x, z, 'rider', feet=0.45)


def parked_bicycle(
    canvas: Canvas, rng: np.random.Generator, x: float, z: float
) -> None:
    """A bicycle without its rider."""
    colour = paint(rng)
    for wheel in (-0.5, 0.5):
        canvas.ellipse((x + wheel, 0.34, z), (0.33, 0.34), RUBBER, 'bicycle', line=0.14)
    canvas.box((x - 0.5, x + 0.45), (0.5, 0.72), z, colour, 'bicycle')
    canvas.box((x + 0.35, x + 0.55), (0.3, 1.0), z, colour, 'bicycle')


def car(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A car along the street: its near end and the visible side."""
    half, height, length = rng.uniform(0.8, 1.0), rng.uniform(1.35, 1.9), 4.2
    colour, belt, roof = paint(rng), 0.55 * height, z + 3.2
    left, right, side = x - half, x + half, x - np.sign(x) * half
    end = z + length
    canvas.shade([(left, 0, z), (right, 0, z), (right, 0, end), (left, 0, end)], 0.45)
    canvas.flank(side, (0.25, belt), (z, end), colour * 0.8, 'car')
    canvas.flank(side, (belt, height), (z + 0.3, roof), colour * 0.8, 'car')
    canvas.flank(side, (belt, height - 0.12), (z + 0.6, roof - 0.2), GLASS, 'car')
    canvas.box((left, right), (0.25, belt), z, colour, 'car')
    canvas.box((left + 0.1, right - 0.1), (belt, height), z, colour, 'car')
    canvas.box((left + 0.2, right - 0.2), (belt, height - 0.12), z, GLASS, 'car')
    lamp = LAMPS[rng.integers(len(LAMPS))]
    for edge in (left, right - 0.25):
        canvas.box((edge, edge + 0.25), (belt - 0.25, belt - 0.05), z, lamp, 'car')
        canvas.box((edge, edge + 0.25), (0.0, 0.3), z, RUBBER, 'car')


def bus(canvas: Canvas, rng: np.random.Generator, x: float, z: float) -> None:
    """A bus along the street, as tall as a low building and with as many windows."""
    half, height, length = 1.25, rng.uniform(2.7, 3.4), rng.uniform(8, 12)
    colour, side = paint(rng), x - np.sign(x) * half
    canvas.flank(side, (0.3, height), (z, z + length), colour * 0.8, 'bus')
    for start in np.arange(z + 0.4, z + length - 1, 1.5):
        canvas.flank(side, (1.3, height - 0.5), (start, start + 1.1), GLASS, 'bus')
    canvas.box((x - half, x + half), (0.3, height), z, colour, 'bus')
    canvas.box((x - half + 0.15, x + half - 0.15), (1.3, height - 0.4), z, GLASS, 'bus')
    for edge in (x - half + 0.1, x + half - 0.4):
        canvas.box((edge, edge + 0.3), (0.0, 0.4), z, RUBBER, 'bus')
