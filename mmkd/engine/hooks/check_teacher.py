"""Check of a teacher's predictions before it teaches."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from mmkd.engine.runner_distiller import distiller_of
from mmkd.evenly import evenly
from mmkd.models.distiller import Distiller
from mmkd.models.ranking import Ranking
from mmkd.models.tally import Tally
from mmkd.models.teachers.frozen import FrozenTeacher
from mmkd.models.teachers.published import Published, published
from mmkd.models.teachers.recorded import RecordedTeacher
from mmkd.models.undisturbed import undisturbed
from mmkd.registry import HOOKS

FEWEST = 50
"""Minimum number of images for a score, if the data set has that many."""

SHARE = 0.002
"""Images checked per image that a training sees. A validation image is often larger
than a training image, but needs only a forward pass: about 1 % of the training."""

ENOUGH = 0.8
"""The fraction of its published score that a teacher should reach on a sample."""


@HOOKS.register_module()
class CheckTeacherHook(Hook):
    """Evaluate the teacher on validation images before it teaches.

    The images are spread evenly over the validation set. The teacher sees them
    as it sees training images: through the student's preprocessor, converted
    to its own normalisation. If a training starts from a checkpoint of the
    student, the student is evaluated on the same images. A resumed training is
    not checked again. The training's random numbers stay the same.

    Attributes:
        score: The teacher's score, for its record; None before the check.
    """

    def __init__(self) -> None:
        self.score: dict[str, Any] | None = None

    def before_train(self, runner: Runner) -> None:
        """Evaluate the teacher, log the scores, and report problems.

        Raises:
            ValueError: If a method reads the teacher's predictions, and they are no
                better than the best constant prediction on the same images or, for
                images with several labels, than chance.
        """
        if runner.iter > 0:
            return
        distiller = distiller_of(runner)
        why_not = _why_not(runner, distiller)
        if why_not:
            runner.logger.info(f'The teacher is not checked: {why_not}.')
            if isinstance(distiller.teacher, RecordedTeacher):
                _log_score(runner, distiller.teacher.manifest.teacher['score'])
            return
        numbers, dataset = _sample(runner), runner.val_dataloader.dataset
        teacher = cast(FrozenTeacher, distiller.teacher)
        tally = _tally(runner, numbers, teacher.predict, _renumber(distiller))
        if tally.lacks:
            runner.logger.info(
                f'The teacher is not checked: {len(numbers)} validation images have '
                f'{tally.lacks}.'
            )
            return
        metric, score, to_beat = tally.metric, tally.score, tally.to_beat
        self.score = dict(
            metric=metric, key=tally.key, score=round(score, 2), images=len(numbers)
        )
        _log_score(runner, self.score)
        known = _published(runner, metric)
        told = f'; its metafile: {known.score:g} on {known.dataset}' if known else ''
        runner.logger.info(
            f'The teacher has {metric} {score:.1f} on {len(numbers)} of {len(dataset)} '
            f'validation images ({tally.rival}: {to_beat:.1f}{told}).'
        )
        if score <= to_beat:
            found = (
                f'the teacher knows nothing about these images: its {metric} is '
                f'{score:.1f}, that of {tally.rival} is {to_beat:.1f}. '
                f'{_causes(distiller)}'
            )
            if distiller.compares_classes:
                raise ValueError(
                    f'{found} To train with it anyway, pass --no-teacher-check or set '
                    'default_hooks.check_teacher=None.'
                )
            runner.logger.warning(f'{found} The methods use only its features.')
        elif known and known.is_of(dataset) and score < ENOUGH * known.score:
            runner.logger.warning(
                f'the teacher has {metric} {score:.1f}, clearly below the '
                f'{known.score:g} of its metafile. {_causes(distiller)}'
            )
        if runner._load_from is not None:
            predict = partial(distiller.forward, mode='predict')
            student = _tally(runner, numbers, predict)
            runner.logger.info(
                f'The student starts with {metric} {student.score:.1f} on them.'
            )
            if student.score > score:
                runner.logger.warning(
                    f'the teacher ({score:.1f}) is worse than the student that '
                    f'it should teach ({student.score:.1f}).'
                )


def _log_score(runner: Runner, score: Mapping[str, Any] | None) -> None:
    """Log a score beside the student's, for tools that read a training's log.

    Args:
        runner: Its visualiser writes it.
        score: As in :attr:`CheckTeacherHook.score`; old records have no ``key``.
    """
    if score is not None and 'key' in score:
        found = {f'teacher/{score["key"]}': score['score']}
        runner.visualizer.add_scalars(
            found | {'teacher/images': score['images']}, step=0
        )


def _why_not(runner: Runner, distiller: Distiller) -> str | None:
    """Why a teacher cannot be checked; None if it can."""
    if not isinstance(distiller.teacher, FrozenTeacher):
        return 'it does not run, and was checked when it was recorded'
    if runner.val_loop is None:
        return 'the config has no validation'
    own = distiller.student_view.class_count
    others = distiller.teacher.view.class_count
    if own != others:
        return f'it has {others} classes and the student {own}'
    return None


def _sample(runner: Runner) -> list[int]:
    """Indices of validation images, evenly spread."""
    total = len(runner.val_dataloader.dataset)
    seen = runner.max_iters * (runner.train_dataloader.batch_size or 1)
    return evenly(total, max(FEWEST, int(SHARE * seen * get_dist_info()[1])))


def _tally(
    runner: Runner,
    numbers: Sequence[int],
    predict: Callable[..., Any],
    to_student: Callable[[Tensor], Tensor] = lambda predictions: predictions,
) -> Tally | Ranking:
    """Count predictions; each process sees its share of the images."""
    distiller, loader = distiller_of(runner), runner.val_dataloader
    rank, processes = get_dist_info()
    shared = DataLoader(
        Subset(loader.dataset, numbers[rank::processes]),
        batch_size=loader.batch_size or 1,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        worker_init_fn=loader.worker_init_fn,
    )
    task, classes = distiller.student_view.task, distiller.student_view.num_classes
    tally = task.tally(classes)
    with undisturbed(distiller):
        for batch in shared:
            data = distiller.data_preprocessor(batch, False)
            for sample in predict(data['inputs'], data['data_samples']):
                labels = task.expected_of(sample)
                if labels.numel():
                    tally.add(labels, to_student(task.predictions_of(sample)))
    tally.gather()
    return tally


def _renumber(distiller: Distiller) -> Callable[[Tensor], Tensor]:
    """A function that maps the teacher's predictions to the student's classes."""
    classes = distiller.teacher.classes
    if distiller.student_view.task.one_class_each:
        return classes.numbers
    return lambda scores: classes.select(scores.unsqueeze(0)).squeeze(0)


def _published(runner: Runner, metric: str) -> Published | None:
    teacher = (runner.cfg.get('model') or {}).get('teacher') or {}
    config = teacher.get('config')
    return published(config, metric) if isinstance(config, str) else None


def _causes(distiller: Distiller) -> str:
    """The usual causes of a bad teacher, with what is known about them here."""
    teacher = cast(FrozenTeacher, distiller.teacher)
    normalised = (
        "the teacher's own, to which its images are converted"
        if teacher.preprocesses
        else "assumed to be the student's, since the teacher's config names none"
    )
    return (
        f'Usual causes: a different order of classes ({teacher.classes.order}), '
        f'normalisation and channel order ({normalised}), other label ids or '
        'reduce_zero_label in the data (not checked), a checkpoint from another '
        'training.'
    )
