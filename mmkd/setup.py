"""What mmkd changes in the libraries below it, in one place and on request."""

from functools import cache

from mmengine.config import Config
from mmengine.config import utils as config_utils

from mmkd import compat
from mmkd.checkpoints.pretrained import check_pretrained_parts
from mmkd.checkpoints.untrusted import read_as_data


@cache
def setup() -> None:
    """Mend what is broken, read checkpoints safely and find mmkd's own configs.

    ``import mmkd`` changes nothing. The tools, ``build_model`` and every module
    of mmkd that imports mmseg or mmpretrain call this before; calls after the
    first one do nothing. It is what a program calls before it reads a config
    that names ``mmkd::...``.
    """
    compat.define_torchvision_ops()
    compat.map_distribution_names()
    find_own_configs()
    compat.find_packages_without_pkg_resources()
    compat.allow_mixed_precision_on_cpus()
    compat.escape_quotes_in_paths()
    compat.mend_text_of_configs()
    compat.look_metafiles_up_once()
    compat.keep_debug_notes_unprinted()
    read_as_data()
    check_pretrained_parts()


def find_own_configs() -> None:
    """Let ``mmkd::dhkd/deeplabv3_r18_cityscapes.py`` name a config of mmkd.

    As with ``mmseg::...``, as ``_base_`` and in MMEngine's ``get_config``.
    """
    # MMEngine looks for a distribution of this name, which there is none of, and
    # then for a module, whose folder it takes: that of the package which was
    # imported. A distribution installed editable has no folder to be found.
    config_utils.MODULE2PACKAGE['mmkd'] = __name__
    locate = Config._get_cfg_path

    def locate_without_scope(cfg_path: str, filename: str) -> tuple[str, str | None]:
        # What a scope marks is looked up there first and in MMEngine next;
        # mmkd's configs name things of mmseg and mmpretrain.
        path, scope = locate(cfg_path, filename)
        return path, None if scope == 'mmkd' else scope

    Config._get_cfg_path = staticmethod(locate_without_scope)
