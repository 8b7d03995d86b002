"""How values are stored and read back."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from mmkd.records import StoredTap
from mmkd.records.rows import row_type


def through(tap: StoredTap, values: Tensor) -> Tensor:
    stored = {name: torch.from_numpy(part) for name, part in tap.encode(values).items()}
    return tap.decode(stored)


def logits(*shape: int, scale: float = 10.0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


SHAPES = [(7,), (5, 4, 6)]


@pytest.mark.parametrize('shape', SHAPES)
def test_float32_is_exact(shape: tuple[int, ...]) -> None:
    values = logits(3, *shape)
    assert torch.equal(through(StoredTap('t', shape, 'float32'), values), values)


@pytest.mark.parametrize('shape', SHAPES)
def test_float16_is_the_nearest_half(shape: tuple[int, ...]) -> None:
    values = logits(3, *shape)
    found = through(StoredTap('t', shape, 'float16'), values)
    assert torch.equal(found, values.half().float())
    assert ((found - values).abs() <= values.abs() * 2**-11).all()


@pytest.mark.parametrize('shape', SHAPES)
def test_8_bits_are_within_half_a_step_of_each_map(shape: tuple[int, ...]) -> None:
    values = logits(3, *shape)
    # Channels of very different magnitude do not share a scale.
    values[:, 0] *= 100
    tap = StoredTap('t', shape, 'int8')
    error = (through(tap, values) - values).abs()
    last = tuple(range(2, values.dim())) or (1,)
    step = values.abs().amax(last, keepdim=True) / 127
    assert (error <= step * 0.5001).all()
    assert tap.encode(values)['values'].dtype == np.int8


@pytest.mark.parametrize('dtype', ['float32', 'float16', 'int8'])
def test_a_sample_alone_is_stored_as_in_a_batch(dtype: Any) -> None:
    tap, values = StoredTap('t', (5, 4, 6), dtype), logits(3, 5, 4, 6)
    assert torch.equal(through(tap, values)[1:2], through(tap, values[1:2]))
    assert torch.equal(through(tap, torch.zeros(1, 5, 4, 6)), torch.zeros(1, 5, 4, 6))


@pytest.mark.parametrize('size', [(4, 6), (5, 6), (65, 97)])
@pytest.mark.parametrize('reduce', [2, 4])
def test_reduced_maps_come_back_in_their_size_and_place(
    size: tuple[int, int], reduce: int
) -> None:
    tap = StoredTap('t', (2, *size), 'float32', reduce)
    values = logits(3, 2, *size)
    stored = torch.from_numpy(tap.encode(values)['values'])
    assert torch.equal(stored, avg_pool2d(values, reduce, ceil_mode=True))
    assert stored.shape[1:] == tap.held
    flat = torch.full((1, 2, *size), 3.5)
    assert torch.allclose(through(tap, flat), flat)
    # A slope stays where it was, but for the half pixels at the edges.
    rows, columns = (torch.arange(length).float() for length in size)
    slope = torch.stack([rows[:, None].expand(size), columns.expand(size)])[None]
    found = through(tap, slope)
    assert found.is_contiguous()
    whole = [length // reduce * reduce - reduce for length in size]
    inner = (..., slice(reduce, whole[0]), slice(reduce, whole[1]))
    torch.testing.assert_close(found[inner], slope[inner])
    assert (found - slope).abs().max() <= reduce / 2


@pytest.mark.parametrize('dtype', ['float16', 'int8'])
def test_what_does_not_fit_is_an_error(dtype: Any) -> None:
    tap = StoredTap('output of x', (7,), dtype)
    for wrong in (float('nan'), float('inf')):
        values = logits(3, 7)
        values[1, 2] = wrong
        with pytest.raises(ValueError, match=r'output of x has values .* not finite'):
            tap.encode(values)
    if dtype == 'float16':
        with pytest.raises(ValueError, match='Store it as float32'):
            tap.encode(torch.full((1, 7), 1e5))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(dtype='float8'), "must be one of float32, float16, int8, got 'float8'"),
        (dict(reduce=0), 'cannot be reduced by 0'),
        (dict(reduce='a'), "cannot be reduced by 'a': .* by a whole number"),
        (dict(reduce=2.0), r'cannot be reduced by 2\.0'),
        (dict(reduce=2), r'shape \(7,\) cannot be reduced by 2'),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StoredTap('t', (7,), **settings)


def test_maps_come_back_in_the_teachers_memory_layout() -> None:
    values = logits(3, 5, 4, 6)
    for last in (False, True):
        tap = StoredTap('t', (5, 4, 6), 'float32', channels_last=last)
        found = through(tap, values)
        assert torch.equal(found, values)
        assert found.is_contiguous() is not last


def test_bytes_of_a_row() -> None:
    taps = [StoredTap('a', (100,)), StoredTap('b', (19, 8, 8), 'int8')]
    # The sample; for each tap, values, scales and checksum.
    assert row_type(taps).itemsize == 8 + (200 + 4) + (19 * 64 + 4 * 19 + 4)
