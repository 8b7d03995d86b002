"""The ends of a backbone's stages, found by the outputs of its blocks."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from torch import nn

from mmkd.models.probing import Trace
from mmkd.models.taps import Tap
from mmkd.models.tokens import AS_IT_IS, layout_of

POOLING = (nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd)

BRANCH = re.compile(r'[^.]*branch')


@dataclass
class Block:
    """A numbered module of a backbone, and the feature maps that it outputs.

    Attributes:
        path: Its path.
        module: The module.
        grids: Height and width of every output map, by the map's tap.
    """

    path: str
    module: nn.Module
    grids: dict[Tap, tuple[int, int]]

    @property
    def maps(self) -> dict[Tap, tuple[int, int]]:
        """Its maps; tokens count only if it outputs nothing else."""
        plain = {t: g for t, g in self.grids.items() if t.layout.kind != 'tokens'}
        return plain or self.grids

    @property
    def dilation(self) -> int:
        """The largest dilation of its convolutions, 1 if it has none."""
        convolutions = (
            m for m in self.module.modules() if isinstance(m, nn.modules.conv._ConvNd)
        )
        return max((max(conv.dilation) for conv in convolutions), default=1)


def find_stages(model: Any, trace: Trace) -> list[Tap]:
    """The ends of the stages of a model's backbone, in the order they run.

    A stage is a sequence of blocks whose maps have the same size; a block with
    dilated convolutions counts as if it had strides instead. If blocks output maps
    of several sizes at once, each size has its own stage. A backbone of one size is
    split by depth: at its ``out_indices`` if they name several blocks, otherwise
    in thirds. If blocks output tokens and the backbone itself returns maps for
    the stages, those are used. Stems and final layers are not stages.

    Args:
        model: A model; one without a ``backbone`` has no stages.
        trace: The outputs of its modules.

    Raises:
        ValueError: If all maps have the same size, and there are fewer than three
            blocks to split.
    """
    blocks = _blocks(model, trace)
    ends = _ends(blocks)
    returned = [
        tap
        for tap in _grids('backbone', trace)
        if tap.layout is AS_IT_IS and all(end.layout.kind == 'tokens' for end in ends)
    ]
    if len(ends) == 1:
        return returned if len(returned) > 1 else _by_depth(model.backbone, blocks)
    return returned if ends and len(returned) >= len(ends) else ends


def has_stem(model: Any, trace: Trace) -> bool:
    """Whether the image passes through a convolution before the first block."""
    blocks = _blocks(model, trace)
    first = next(
        (p for p, m in model.named_modules() if isinstance(m, nn.modules.conv._ConvNd)),
        '',
    )
    return not any(f'{first}.'.startswith(f'{block.path}.') for block in blocks)


def _grids(path: str, trace: Trace) -> dict[Tap, tuple[int, int]]:
    """Size of every feature map that a module outputs."""
    grids = {}
    for number, shape in enumerate(trace.given(path)):
        layout = layout_of(shape, trace.image_size) if shape[0] == 1 else None
        if layout is not None:
            tap = Tap(path, number=number, layout=layout)
            rows, columns = trace.shape(tap)[2:]
            grids[tap] = (rows, columns)
    return grids


def _blocks(model: Any, trace: Trace) -> list[Block]:
    """The blocks that make up most of the backbone.

    Blocks are siblings whose names differ only in a number, or in the word before
    "branch".
    """
    families: dict[str, list[Block]] = {}
    for path, module in model.named_modules():
        form = re.sub(BRANCH, 'branch', re.sub(r'\d+[a-z]?(?![a-z])', '#', path))
        if not re.match(r'backbone\..*#$', form) or _is_no_block(path, module):
            continue
        grids = _grids(path, trace)
        if grids:
            families.setdefault(form, []).append(Block(path, module, grids))
    order = {path: place for place, (path, _) in enumerate(trace.shapes)}
    for blocks in families.values():
        blocks.sort(key=lambda block: order[block.path])
    form = max(families, key=lambda form: _weight(families[form]), default='')
    blocks = families.get(form, [])
    inner = max(
        (family for name, family in families.items() if name.startswith(f'{form}.')),
        key=_weight,
        default=[],
    )
    if 2 * _weight(inner) > _weight(blocks) and _end_in_next(blocks, inner):
        blocks = inner
    return _without_stem(blocks)


def _is_no_block(path: str, module: nn.Module) -> bool:
    names = [*path.split('.'), type(module).__name__]
    return isinstance(module, POOLING) or any(
        name.lower().startswith('stem') for name in names
    )


def _weight(blocks: Iterable[Block]) -> int:
    return sum(p.numel() for block in blocks for p in block.module.parameters())


def _end_in_next(blocks: Iterable[Block], inner: Iterable[Block]) -> bool:
    """Whether a block ends with the downsampling that the next stage begins with."""
    for block in blocks:
        within = [other for other in inner if other.path.startswith(f'{block.path}.')]
        last = within[-1].grids.values() if within else block.grids.values()
        if not set(last) & set(block.grids.values()):
            return True
    return False


def _without_stem(blocks: list[Block]) -> list[Block]:
    """Drop blocks that are single layers of the kind the other blocks consist of."""
    kinds = {type(block.module) for block in blocks}
    main = max(
        kinds,
        key=lambda kind: _weight(b for b in blocks if type(b.module) is kind),
        default=None,
    )
    parts = {
        type(part)
        for block in blocks
        if type(block.module) is main
        for part in block.module.modules()
        if part is not block.module
    } - {main}
    return [block for block in blocks if type(block.module) not in parts]


def _ends(blocks: list[Block]) -> list[Tap]:
    """The last map of each size; if there are several branches, of the largest."""
    branches: dict[str, list[Block]] = {}
    for block in blocks:
        branches.setdefault(_branch(block.path), []).append(block)
    mains: dict[tuple[int, int, int], Tap] = {}
    places = [
        (grid, block.dilation, tap)
        for branch in sorted(branches.values(), key=_weight)
        for block in branch
        for tap, grid in block.maps.items()
    ]
    for grid, dilation, tap in places:
        key = (*grid, dilation if _stands_for_stride(grid, places) else 1)
        mains.pop(key, None)
        mains[key] = tap
    return list(mains.values())


def _branch(path: str) -> str:
    found = re.search(BRANCH, path)
    return found.group() if found else ''


def _stands_for_stride(grid: tuple[int, int], places: Sequence[Any]) -> bool:
    """Whether dilation only grows along the blocks of one size.

    Blocks that return to a smaller one use it for a large receptive field instead.
    """
    runs = [dilation for dilation, _ in groupby(d for g, d, _ in places if g == grid)]
    return runs == sorted(runs)


def _by_depth(backbone: Any, blocks: list[Block]) -> list[Tap]:
    count = len(blocks)
    if count < 3:
        raise ValueError(
            f'its backbone {type(backbone).__name__} has {count} blocks with maps of '
            'one size, but at least three are needed to split it by depth. Set the '
            'stages to module paths.'
        )
    indices = getattr(backbone, 'out_indices', None) or ()
    if isinstance(indices, int) or len(indices) < 2 or max(indices) >= count:
        indices = [-(-count * part // 3) - 1 for part in (1, 2, 3)]
    return [list(blocks[index].maps)[-1] for index in indices]


def stage_modules(stages: Sequence[Tap], trace: Trace) -> list[set[str]]:
    """Paths of the modules that run in each stage.

    A module belongs to the stage in which it begins to run: the first whose end
    comes after it. Modules after the last stage belong to none, and modules before
    the first, such as a stem, to the first.

    Args:
        stages: Their ends, in the order they run.
        trace: Inputs and outputs of the model's modules, in the order they ran.
    """
    found: list[set[str]] = [set() for _ in stages]
    ends = {(tap.path, tap.kind): number for number, tap in enumerate(stages)}
    current = 0
    for path, kind in trace.shapes:
        if current == len(stages):
            break
        if kind == 'input':
            found[current].add(path)
        if ends.get((path, kind)) == current:
            current += 1
    return found
