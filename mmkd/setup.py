"""All changes that mmkd makes to its dependencies, applied on request."""

from functools import cache

from mmengine.config import Config
from mmengine.config import utils as config_utils

from mmkd import compat
from mmkd.checkpoints.pretrained import check_pretrained_parts
from mmkd.checkpoints.untrusted import read_as_data


@cache
def setup() -> None:
    """Apply workarounds, load checkpoints safely and make mmkd's configs available.

    ``import mmkd`` changes nothing. The tools, ``build_model`` and every module
    of mmkd that imports mmseg or mmpretrain call this first; calls after the
    first one do nothing. A program calls it before it reads a config that
    refers to ``mmkd::...``.
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
    """Make ``mmkd::dhkd/deeplabv3_r18_cityscapes.py`` refer to a config of mmkd.

    Like ``mmseg::...``, it works in ``_base_`` and in MMEngine's ``get_config``.
    """
    # MMEngine looks for a distribution of this name, which does not exist, and then
    # for a module, whose folder it uses: that of the imported package. An editable
    # install of a distribution has no such folder.
    config_utils.MODULE2PACKAGE['mmkd'] = __name__
    locate = Config._get_cfg_path

    def locate_without_scope(cfg_path: str, filename: str) -> tuple[str, str | None]:
        # With a scope, names are looked up there first and then in MMEngine, but
        # mmkd's configs name types of mmseg and mmpretrain.
        path, scope = locate(cfg_path, filename)
        return path, None if scope == 'mmkd' else scope

    Config._get_cfg_path = staticmethod(locate_without_scope)
