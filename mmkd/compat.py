"""Workarounds for defects in mmkd's dependencies; there are none elsewhere.

Each function names the upstream report and when the workaround can be removed.
:func:`mmkd.setup.setup` calls them; importing this module changes nothing.
"""

import importlib.metadata
import importlib.util
import re
from functools import cache
from importlib.machinery import ModuleSpec
from logging import INFO
from pathlib import Path
from typing import Any

import torch
from mmengine import logging
from mmengine import utils as engine_utils
from mmengine.config import Config
from mmengine.config import config as config_reader
from mmengine.config import utils as config_utils
from mmengine.fileio import load
from mmengine.hub import hub
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.utils import package_utils
from yapf.yapflib.errors import YapfError


def define_torchvision_ops() -> None:
    """Make torchvision importable when its compiled operators fail to load.

    mmpretrain imports torchvision, which registers shape functions for
    ``nms`` and ``qnms`` on import and fails if its binary, built for CUDA,
    does not load alongside a CPU-only torch. mmkd uses neither operator, so
    defining their schemas is enough.

    Upstream: pytorch/vision#9337, still present in 0.28. Removable once a
    release imports without its binary (pytorch/vision#9649).
    """
    spec = importlib.util.find_spec('torchvision')
    if spec is None or not spec.submodule_search_locations:
        return
    if hasattr(torch.ops.torchvision, 'nms'):
        # Loaded, or defined by another workaround for the same defect.
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
    """Make ``mmseg::...`` and ``mmpretrain::...`` find the onedl distributions.

    MMEngine looks up a config's package by its distribution name, and the
    maintained continuation publishes ``mmseg`` as ``onedl-mmsegmentation``.

    Upstream: VBTI-development/onedl-mmengine (``MODULE2PACKAGE`` still lists
    the old names in 0.10.12). Removable once it lists the new ones.
    """
    for module, package in config_utils.MODULE2PACKAGE.items():
        try:
            importlib.metadata.version(f'onedl-{package}')
        except importlib.metadata.PackageNotFoundError:
            continue
        config_utils.MODULE2PACKAGE[module] = f'onedl-{package}'


def find_packages_without_pkg_resources() -> None:
    """Make ``mmseg::...`` work with a setuptools without ``pkg_resources``.

    The original MMEngine looks up packages with ``pkg_resources``, which
    setuptools 82 removed; Python's import system can find them too.

    Upstream: open-mmlab/mmengine#1676, merged after 0.10.7. Removable once a
    release contains it; onedl-mmengine does not need it.
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


def escape_quotes_in_paths() -> None:
    """Support quotes in the path of a config that refers to its own folder.

    MMEngine substitutes the path for ``{{ fileDirname }}`` and similar variables
    before Python reads the file, so an apostrophe in it ends the string.

    Upstream: open-mmlab/mmengine (``Config._substitute_predefined_vars``), still in
    onedl-mmengine 0.10.12; no known report. Removable once it escapes quotes.
    """
    substitute = Config._substitute_predefined_vars

    def substitute_escaped(filename: str, temp_config_name: str) -> None:
        path = Path(filename)
        if path.suffix != '.py' or not {'"', "'"} & set(str(path.parent) + path.name):
            substitute(filename, temp_config_name)
            return
        text = path.read_text(encoding='utf-8')
        for name, value in {
            'fileDirname': str(path.parent),
            'fileBasename': path.name,
            'fileBasenameNoExtension': path.stem,
            'fileExtname': path.suffix,
        }.items():
            escaped = value.replace("'", "\\'").replace('"', '\\"')
            text = escaped.join(re.split(r'\{\{\s*' + name + r'\s*\}\}', text))
        Path(temp_config_name).write_text(text, encoding='utf-8')

    Config._substitute_predefined_vars = staticmethod(substitute_escaped)


def mend_text_of_configs() -> None:
    """Format a config only when it has changed, and do not swallow interruptions.

    MMEngine asks for the text four times before the first iteration, for the log, the
    work directory, the visualiser and the checkpoints, and yapf takes up to a second.
    MMEngine reports any exception raised meanwhile, even Ctrl-C or a killed data loader
    worker, as a syntax error in the config and prints the whole config with it.

    Upstream: open-mmlab/mmengine (``Config.pretty_text``), still in
    onedl-mmengine 0.10.12; no known report. Removable once it caches the text and its
    ``except`` names what yapf raises.
    """
    format_text: Any = Config.pretty_text.fget
    last = '', ''

    def pretty_text(self: Config) -> str:
        nonlocal last
        content = repr(self.to_dict())
        if last[0] != content:
            try:
                last = content, format_text(self)
            except SyntaxError as error:
                cause = error.__context__
                if cause is None or isinstance(cause, (SyntaxError, YapfError)):
                    raise
                raise cause from None
        return last[1]

    Config.pretty_text = property(pretty_text)


def look_metafiles_up_once() -> None:
    """Look up a config of another package once, in the metafile that names it.

    MMEngine parses all metafiles of the package (fifty for MMSegmentation) on every
    reference to one: five times for the bases and the teacher of one distillation.

    Upstream: open-mmlab/mmengine (``_get_cfg_metainfo``), still in
    onedl-mmengine 0.10.12; no known report. Removable once it caches the result.
    """

    @cache
    def named(package: str, config: str) -> dict[str, Any] | None:
        folder = Path(package, '.mim')
        for name in load(folder / 'model-index.yml')['Import']:
            # Ruling a file out does not need parsing.
            if config in (folder / name).read_text(encoding='utf-8'):
                for model in load(folder / name)['Models']:
                    if model.get('Config', '').partition('/')[-1] == config:
                        return model
        return None

    def look_up(package: str, config: str) -> dict[str, Any]:
        model = named(package, config)
        if model is None:
            # As MMEngine does: it then searches files that no metafile names.
            raise ValueError(f'no metafile of {package} names the config {config}')
        return model

    config_utils._get_cfg_metainfo = hub._get_cfg_metainfo = look_up


def allow_mixed_precision_on_cpus() -> None:
    """Enable ``AmpOptimWrapper`` on machines without a GPU, in bfloat16.

    Its autocast supports bfloat16 on CPUs (and refuses float16), and PyTorch's
    gradient scaler disables itself there; only a check for CUDA prevents it.

    Upstream: open-mmlab/mmpretrain#1556, still in onedl-mmengine 0.10.12.
    Removable once a release accepts CPUs.
    """
    amp_optimizer_wrapper.is_cuda_available = lambda: True


def keep_debug_notes_unprinted() -> None:
    """Silence ``print_log(text, level=DEBUG)`` without a logger.

    MMSegmentation and MMPretrain use it several times at every start to say that an
    optional package is missing; without a logger MMEngine prints at any level.

    Upstream: onedl-mmsegmentation and onedl-mmpretrain (``Could not import OneDL``); no
    known report. Removable once they import it quietly.
    """
    told = logging.print_log

    def tell(msg: Any, logger: Any = None, level: int = INFO) -> None:
        if logger is not None or level >= INFO:
            told(msg, logger, level)

    logging.print_log = tell
