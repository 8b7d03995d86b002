"""Export of the plain student at the end of training."""

from contextlib import nullcontext
from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from torch.distributed.fsdp import FullyShardedDataParallel

from mmkd.models.deploy import student_config
from mmkd.models.distiller import Distiller
from mmkd.models.taught import student_alone
from mmkd.registry import HOOKS
from mmkd.resilience.files import save_atomically, whole_or_nothing
from mmkd.resilience.runner_model import model_of


@HOOKS.register_module()
class ExportStudentHook(Hook):
    """Save only the student when training ends.

    It does so for a distillation and for a student that trains alone. The file
    holds ``meta.dataset_meta`` and ``state_dict``, nothing of mmkd,
    and loads strictly into the student's own config in MMSegmentation and
    MMPretrain. With ``EMAHook`` it is the averaged student, as in that
    hook's checkpoints. Its config, for testing and deployment, is saved beside
    it under the same name with the suffix ``.py``. The main process writes both
    to the work directory, through temporary files.

    Args:
        filename: Name of the file in the work directory.

    Raises:
        ValueError: If the name is empty or contains a folder.
    """

    priority = 'VERY_LOW'

    def __init__(self, filename: str = 'student.pth') -> None:
        if filename in ('', '..') or Path(filename).name != filename:
            raise ValueError(
                f'filename must be the name of a file without a folder, '
                f'got {filename!r}.'
            )
        self.filename = filename

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Save the student.

        Raises:
            RuntimeError: If the training had no iteration.
        """
        if runner.iter == 0:
            raise RuntimeError(
                'the training ended after 0 iterations: there is no trained student, '
                f'and no {self.filename} is written. Check max_iters or max_epochs of '
                'train_cfg, the batch size and the training set.'
            )
        if isinstance(runner.model, FullyShardedDataParallel):
            runner.logger.info(f'No {self.filename} is written of a sharded student.')
            return
        model = model_of(runner)
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                model = hook.ema_model.module
        with student_alone(model) if isinstance(model, Distiller) else nullcontext():
            state = model.state_dict()
        dataset = runner.train_dataloader.dataset
        content = {
            'meta': {'dataset_meta': getattr(dataset, 'metainfo', None)},
            'state_dict': {name: value.cpu() for name, value in state.items()},
        }
        path = Path(runner.work_dir) / self.filename
        save_atomically(content, path)
        # A runner that was given a built model has no config of it.
        if 'model' in runner.cfg:
            with whole_or_nothing(path.with_suffix('.py')) as partial:
                partial.write_text(student_config(runner.cfg).pretty_text)
        runner.logger.info(f'The student is saved in {path}.')
