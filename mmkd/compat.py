"""Defects of the packages below mmkd, each worked around here and nowhere else.

Every entry names the upstream report and what makes it removable. Importing
this module applies the ones that must come before ``mmseg`` or ``mmpretrain``
is imported; ``import mmkd`` does it first of all.
"""

import importlib.metadata
import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

try:
    from mmengine import utils as engine_utils
    from mmengine.config import config as config_reader
    from mmengine.config import utils as config_utils
    from mmengine.hub import hub
    from mmengine.optim.optimizer import amp_optimizer_wrapper
    from mmengine.runner import checkpoint as checkpoint_io
    from mmengine.utils import package_utils
except ModuleNotFoundError as error:
    if error.name != 'mmengine':
        raise
    raise ImportError(
        'mmkd finds no MMEngine. Install one of the two stacks that it extends: '
        "pip install 'mmkd[onedl]' (the maintained continuation) or "
        "pip install 'mmkd[openmmlab]' (the original packages)"
    ) from None

from mmkd.checkpoint import safe_load, safe_load_url


def define_torchvision_ops() -> None:
    """Let torchvision import where its compiled operators cannot load.

    mmpretrain imports torchvision, which registers shape functions for
    ``nms`` and ``qnms`` while it is imported and fails if its binary, built
    for CUDA, does not load beside a CPU-only torch. Neither operator is used
    by mmkd, so that knowing their schemas is enough.

    Upstream: pytorch/vision#9337, still so in 0.28. Removable with the release
    that imports without its binary (pytorch/vision#9649).
    """
    spec = importlib.util.find_spec('torchvision')
    if spec is None or not spec.submodule_search_locations:
        return
    folder = Path(spec.submodule_search_locations[0])
    for binary in folder.glob('_C*.so'):
        try:
            torch.ops.load_library(str(binary))
        except OSError:
            boxes = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'
            torch.library.define('torchvision::nms', boxes)
            torch.library.define('torchvision::qnms', boxes)
            return


def map_distribution_names() -> None:
    """Let ``mmseg::...`` and ``mmpretrain::...`` find the onedl distributions.

    MMEngine looks a config's package up by the name of its distribution, and
    the maintained continuation publishes ``mmseg`` as
    ``onedl-mmsegmentation``.

    Upstream: VBTI-development/onedl-mmengine (``MODULE2PACKAGE`` still lists
    the old names in 0.10.12). Removable when that map names them.
    """
    for module, package in config_utils.MODULE2PACKAGE.items():
        try:
            importlib.metadata.version(f'onedl-{package}')
        except importlib.metadata.PackageNotFoundError:
            continue
        config_utils.MODULE2PACKAGE[module] = f'onedl-{package}'


def find_packages_without_pkg_resources() -> None:
    """Let ``mmseg::...`` work beside a setuptools without ``pkg_resources``.

    The original MMEngine looks packages up with ``pkg_resources``, which
    setuptools 82 removed; Python's own import system knows them as well.

    Upstream: open-mmlab/mmengine#1676, merged after 0.10.7. Removable with
    the release that holds it; onedl-mmengine has no need of it.
    """
    if importlib.util.find_spec('pkg_resources') is not None:
        return
    modules = {name: module for module, name in config_utils.MODULE2PACKAGE.items()}

    def spec_of(package: str) -> ModuleSpec | None:
        return importlib.util.find_spec(modules.get(package, package))

    def is_installed(package: str) -> bool:
        return spec_of(package) is not None

    def get_installed_path(package: str) -> str:
        spec = spec_of(package)
        if spec is None or spec.origin is None:
            raise importlib.metadata.PackageNotFoundError(package)
        return str(Path(spec.origin).parent)

    for user in (config_reader, hub, engine_utils, package_utils):
        user.is_installed = is_installed
        user.get_installed_path = get_installed_path


class SafeTorch(ModuleType):
    """``torch`` as MMEngine's checkpoint reader sees it: ``load`` is safe."""

    @staticmethod
    def load(file: Any, map_location: Any = None, **_: Any) -> Any:
        """Read a checkpoint, whatever the caller says of ``weights_only``."""
        return safe_load(file, map_location)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def load_checkpoints_safely() -> None:
    """Make MMEngine read every checkpoint with :mod:`mmkd.checkpoint`.

    That covers teachers, pretrained backbones, resumed and tested runs, from
    files, object stores and addresses. Unpatched, the original MMEngine cannot
    read its own training checkpoints since PyTorch 2.6; onedl-mmengine allows
    ``getattr``, which leads to any function, and falls back to
    ``weights_only=False``.

    Upstream: open-mmlab/mmengine#1655, in 0.10.7 and in onedl-mmengine
    0.10.12. Removable when both read with ``weights_only=True`` alone.
    """
    checkpoint_io.torch = SafeTorch('torch')
    checkpoint_io.load_url = safe_load_url


def allow_mixed_precision_on_cpus() -> None:
    """Let ``AmpOptimWrapper`` train on a machine without a GPU, in bfloat16.

    Its autocast knows CPUs, where it takes bfloat16 and refuses float16, and
    PyTorch's scaler switches itself off there; a check for CUDA alone stands in
    the way.

    Upstream: open-mmlab/mmpretrain#1556, still so in onedl-mmengine 0.10.12.
    Removable with the release that looks for CPUs too.
    """
    amp_optimizer_wrapper.is_cuda_available = lambda: True


define_torchvision_ops()
map_distribution_names()
find_packages_without_pkg_resources()
load_checkpoints_safely()
allow_mixed_precision_on_cpus()
