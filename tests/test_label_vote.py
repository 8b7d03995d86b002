from collections import Counter
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from mmkd.label_vote import majority

SIZES = [
    ((32, 48), (4, 6)),
    ((17, 33), (3, 5)),
    ((25, 31), (7, 4)),
    ((9, 10), (2, 3)),
    ((5, 6), (15, 7)),
    ((8, 8), (1, 1)),
    ((1, 12), (1, 3)),
]


def noise(size: tuple[int, int], classes: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(sum(size))
    labels = torch.randint(classes, (2, *size), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.3] = 255
    return labels


def shares(pixels: int, cells: int, align_corners: bool) -> list[list[Fraction]]:
    """How much of each pixel lies in each cell, along one axis."""
    half = Fraction(1, 2)
    if align_corners and min(pixels, cells) > 1:
        width = Fraction(pixels - 1, cells - 1)
        starts = [cell * width - width / 2 for cell in range(cells)]
    else:
        width = Fraction(pixels, cells)
        starts = [cell * width - half for cell in range(cells)]
    return [
        [
            max(Fraction(0), min(start + width, y + half) - max(start, y - half))
            for y in range(pixels)
        ]
        for start in starts
    ]


def counted(labels: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    """The definition, pixel by pixel."""
    height, width = labels.shape[1:]
    rows = shares(height, size[0], align_corners)
    columns = shares(width, size[1], align_corners)
    result = torch.full((len(labels), *size), 255)
    for n, i, j in torch.cartesian_prod(*map(torch.arange, result.shape)).tolist():
        votes: Counter[int] = Counter()
        for y, x in torch.cartesian_prod(torch.arange(height), torch.arange(width)):
            votes[int(labels[n, y, x])] += rows[i][y] * columns[j][x]  # type: ignore
        total, none = sum(votes.values()), votes.pop(255, 0)
        ranking = votes.most_common()
        tied = len(ranking) > 1 and ranking[0][1] == ranking[1][1]
        if 2 * none < total and not tied:
            result[n, i, j] = ranking[0][0]
    return result


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize(('whole', 'size'), SIZES)
def test_cells_have_the_label_of_most_of_their_area(
    whole: tuple[int, int], size: tuple[int, int], align_corners: bool
) -> None:
    labels = noise(whole)

    voted = majority(labels, size, 255, align_corners)

    assert voted.dtype == torch.int64
    assert voted.equal(counted(labels, size, align_corners))
    for classes in (3, 19):
        assert majority(labels, size, 255, align_corners, classes).equal(voted)


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize(
    ('whole', 'size'), [*SIZES, ((65, 129), (9, 17)), ((67, 97), (10, 13))]
)
def test_mirroring_commutes_exactly(
    whole: tuple[int, int], size: tuple[int, int], align_corners: bool
) -> None:
    labels = noise(whole, classes=5)
    voted = majority(labels, size, 255, align_corners)

    for axes in ([1], [2], [1, 2]):
        mirrored = majority(labels.flip(axes), size, 255, align_corners)
        assert mirrored.flip(axes).equal(voted)


def test_ties_and_cells_without_a_label_for_half_of_them_are_ignored() -> None:
    labels = torch.tensor(
        [
            [0, 0, 2, 2, 9, 9, 9, 3, 1, 2],
            [0, 1, 1, 1, 4, 4, 9, 9, 9, 2],
        ]
    )

    assert majority(labels[None], (1, 5), 9).tolist() == [[[0, 9, 9, 9, 2]]]


def test_aligned_corners_take_the_pixels_around_the_coinciding_point() -> None:
    # Points 0, 4 and 8; the middle cell has half of pixels 2 and 6.
    labels = torch.tensor([[[0, 0, 1, 1, 2, 2, 2, 3, 3]]])

    assert majority(labels, (1, 3), 9, align_corners=True).tolist() == [[[0, 2, 3]]]
    # 1.5 pixels of 1 and 1.5 of 2 tie.
    labels[..., 3:7] = torch.tensor([1, 4, 2, 2])
    assert majority(labels, (1, 3), 9, align_corners=True).tolist() == [[[0, 9, 3]]]


def test_nothing_is_labelled() -> None:
    labels = torch.full((2, 4, 4), 7)

    assert majority(labels, (2, 2), 7).unique().tolist() == [7]
    assert majority(labels, (2, 2), 7, num_classes=3).unique().tolist() == [7]
