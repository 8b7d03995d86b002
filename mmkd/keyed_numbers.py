"""Random numbers of many samples at once, each from the key of its own sample."""

import numpy as np

GOLDEN = np.array(0x9E3779B97F4A7C15, np.uint64)
"""What SplitMix64 adds from one number to the next."""

MIXING = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
"""By how much it shifts, and what it then multiplies with."""


def uniforms(keys: np.ndarray, count: int) -> np.ndarray:
    """Numbers that are evenly spread over 0 to 1, as a function of keys alone.

    They are those of SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number
    Generators", 2014), started from each key. Which other samples are in the batch
    has no part in them.

    Args:
        keys: Well-mixed numbers such as hashes, uint64 of shape ``(N,)``.
        count: How many numbers each sample needs.

    Returns:
        Float64 of shape ``(count, N)``, from 0 to below 1.
    """
    places = np.arange(1, count + 1, dtype=np.uint64)[:, None]
    mixed = keys + places * GOLDEN
    for shift, factor in MIXING:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    # A float64 holds 53 bits.
    return (mixed >> np.uint64(11)) * 2.0**-53
