"""Random numbers of many samples at once, each from the key of its own sample."""

import torch
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15 - 2**64
"""What SplitMix64 adds from one number to the next, as int64 holds it."""

MIXING = ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64))
"""By how much it shifts, and what it then multiplies with."""


def uniforms(keys: Tensor, count: int) -> Tensor:
    """Numbers that are evenly spread over 0 to 1, as a function of keys alone.

    They are those of SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number
    Generators", 2014), started from each key. Which other samples are in the batch
    has no part in them, and no device is waited for.

    Args:
        keys: One key a sample, int64 ``(N,)``, all 64 bits of which count.
        count: How many numbers each sample needs.

    Returns:
        Float64 of shape ``(count, N)``, from 0 to below 1.
    """
    places = torch.arange(1, count + 1, device=keys.device)[:, None]
    mixed = keys + places * GOLDEN
    for shift, factor in MIXING:
        mixed.bitwise_xor_(_shifted(mixed, shift)).mul_(factor)
    mixed.bitwise_xor_(_shifted(mixed, 31))
    # A float64 holds 53 bits.
    return _shifted(mixed, 11).double() * 2.0**-53


def _shifted(numbers: Tensor, places: int) -> Tensor:
    """Shift right and fill up with zeros, where int64 would copy its sign."""
    return (numbers >> places).bitwise_and_((1 << (64 - places)) - 1)
