"""Train a student, with or without a teacher.

Example:
    mmkd train deeplabv3_r18_cityscapes --data-root data/cityscapes --method dhkd kd
    mmkd train mmkd::dhkd/deeplabv3_r18_cityscapes.py --data-root data/cityscapes
"""

import gc

gc.disable()  # until lasting() ends, as imported objects are kept anyway

import sys
import traceback

from torch.distributed.elastic.multiprocessing.errors import record

from mmkd.cli.command_line import launch
from mmkd.cli.console import console
from mmkd.cli.experiment import checked
from mmkd.cli.lasting import lasting
from mmkd.cli.training import merged_config, parse_args
from mmkd.resilience.resume import choose_checkpoint
from mmkd.resilience.work_dir import occupied
from mmkd.runs.training import DIVERGED


@record
def main() -> None:
    """Build the runner and train."""
    with console():
        with lasting():
            cfg = checked(merged_config(parse_args(text=__doc__)))
        choose_checkpoint(cfg)
        with occupied(cfg):
            launch(cfg, 'train')


if __name__ == '__main__':
    try:
        main()
    except FloatingPointError:
        traceback.print_exc()
        sys.exit(DIVERGED)
