"""Trains a config as MMEngine's users do: ``own_runner.py CONFIG``."""

import sys

from mmengine.config import Config
from mmengine.runner import Runner

from mmkd import compat

if __name__ == '__main__':
    # Without these, MMEngine finds neither MMSegmentation's configs nor torchvision.
    compat.define_torchvision_ops()
    compat.map_distribution_names()
    compat.find_packages_without_pkg_resources()
    Runner.from_cfg(Config.fromfile(sys.argv[1])).train()
