"""Pictures embedded in a page."""

import base64

import cv2
import numpy as np

LOSSLESS = 101
"""OpenCV's quality value for a lossless WebP."""

HELPED, HURT = (0, 114, 178), (213, 94, 0)
"""Blue and vermilion, a colour-blind-safe pair."""

NO_LABEL = (128, 128, 128)


def data_uri(pixels: np.ndarray, quality: int = 75) -> str:
    """A picture as a data URI for an ``img``.

    Args:
        pixels: RGB, uint8 ``(H, W, 3)``.
        quality: Quality of the WebP, up to 100, or :data:`LOSSLESS`.
    """
    options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    _, encoded = cv2.imencode('.webp', pixels[..., ::-1], options)
    return f'data:image/webp;base64,{base64.b64encode(encoded.tobytes()).decode()}'


def class_map(classes: np.ndarray, palette: np.ndarray) -> str:
    """A label map in the colours of its classes.

    Args:
        classes: ``(H, W)``, -1 where there is no label.
        palette: RGB ``(K, 3)``.
    """
    known = (classes >= 0) & (classes < len(palette))
    colours = palette[np.where(known, classes, 0)]
    colours[~known] = NO_LABEL
    return data_uri(colours, LOSSLESS)


def marked(image: np.ndarray, helped: np.ndarray, hurt: np.ndarray) -> str:
    """A pale picture in which two kinds of pixels are marked.

    Args:
        image: RGB ``(H, W, 3)``.
        helped: Pixels marked blue, bool ``(H, W)``.
        hurt: Pixels marked vermilion, likewise.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] * 0.4 + 140
    pixels = grey.repeat(3, 2)
    for places, colour in ((helped, HELPED), (hurt, HURT)):
        pixels[places] = 0.15 * pixels[places] + 0.85 * np.array(colour)
    return data_uri(pixels.astype(np.uint8))
