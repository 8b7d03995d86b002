"""Preparation of methods and teacher for the training set."""

from contextlib import ExitStack

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmkd.checks.normalisation import check_normalisation
from mmkd.engine.runner_distiller import distiller_of
from mmkd.models.class_names import names_of
from mmkd.models.teachers import RecordedTeacher
from mmkd.recording import follow_record
from mmkd.registry import HOOKS


@HOOKS.register_module()
class PrepareMethodsHook(Hook):
    """Show methods and teacher the training set before training starts.

    Some methods need its size or its classes: CRD remembers every image. The
    teacher's classes are compared with those of the set by name. A recorded
    teacher is read with the images, after all that determines a view has been
    compared. It acts before the model is copied for averaging and before a
    checkpoint is loaded, so that buffers sized here are restored.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._compiled = ExitStack()

    def before_run(self, runner: Runner) -> None:
        """Match the teacher's classes and call ``prepare`` of every method.

        Raises:
            ValueError: If the teacher has different classes and a method compares
                them, its images are normalised otherwise, or it was recorded on other
                views.
        """
        # The public attribute would build the training set even for validation.
        if not isinstance(runner._train_loop, BaseLoop):
            return
        check_normalisation(runner.cfg)
        dataset, distiller = runner.train_dataloader.dataset, distiller_of(runner)
        if distiller.compares_classes:
            distiller.teacher.classes.match(names_of(dataset))
        if isinstance(distiller.teacher, RecordedTeacher):
            follow_record(runner, distiller.teacher, distiller.data_preprocessor)
        for method in distiller.named_methods.values():
            method.prepare(dataset)

    def before_train(self, runner: Runner) -> None:
        """Where MMEngine compiles the step, let it trace networks and methods whole."""
        if runner.cfg.get('compile'):
            self._compiled.enter_context(distiller_of(runner).standing_taps())

    def after_train(self, runner: Runner) -> None:
        """Leave both networks as they were."""
        self._compiled.close()
