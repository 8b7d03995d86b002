"""Random numbers for a batch of samples, each determined by its sample's key."""

import torch
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15 - 2**64
"""SplitMix64's increment from one number to the next, as int64."""

MIXING = ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64))
"""How far it shifts, and the factor that follows."""


def uniforms(keys: Tensor, count: int) -> Tensor:
    """Uniform random numbers in [0, 1) that depend only on the keys.

    They come from SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number
    Generators", 2014), seeded with each key. They do not depend on the other samples
    in the batch, and drawing them does not synchronise with the GPU.

    Args:
        keys: One key per sample, int64 ``(N,)``; all 64 bits are used.
        count: How many numbers each sample needs.

    Returns:
        Float64 of shape ``(count, N)``.
    """
    places = torch.arange(1, count + 1, device=keys.device)[:, None]
    mixed = keys + places * GOLDEN
    for shift, factor in MIXING:
        mixed.bitwise_xor_(_shifted(mixed, shift)).mul_(factor)
    mixed.bitwise_xor_(_shifted(mixed, 31))
    # A float64 holds 53 bits.
    return _shifted(mixed, 11).double() * 2.0**-53


def _shifted(numbers: Tensor, places: int) -> Tensor:
    """Shift right and fill with zeros; a plain shift of int64 copies the sign bit."""
    return (numbers >> places).bitwise_and_((1 << (64 - places)) - 1)
