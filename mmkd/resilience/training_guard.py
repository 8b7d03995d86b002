"""Stops a training that cannot succeed."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import torch
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmkd.checkpoints.weight_fit import is_finite
from mmkd.models.class_names import names_in, names_of
from mmkd.nearest import listed
from mmkd.registry import HOOKS
from mmkd.resilience.label_survey import check_batch, survey
from mmkd.resilience.loaded_weights import settle_weights
from mmkd.resilience.loader import ADVICE, refuse_endless, watch
from mmkd.resilience.runner_model import model_of
from mmkd.resilience.same_buffers import share_buffers
from mmkd.resilience.start_checks import check_classes, check_shares, classes_at_test

DIVERGED = 'Training stops here; the last checkpoint is'
"""Part of the message that ends a training whose losses or weights are not finite."""


@HOOKS.register_module()
class TrainingGuardHook(Hook):
    """Stop at an empty data set, and at the first loss that is not finite.

    A loaded checkpoint must fit the model.
    The hook runs before checkpoints are written, and checks the weights to be
    saved: a finite loss can lead to an update that overflows. So training can
    resume from the last checkpoint that exists. MMEngine's loggers read every
    loss in every iteration anyway: checking it here does not block on the GPU
    any longer.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._infinite_by_design: set[str] = set()
        self._last_checkpoint: str | None = None
        self._classes: list[str] | None = None
        self._unsure = False

    def before_train(self, runner: Runner) -> None:
        """Check data, samplers, classes and labels.

        Raises:
            ValueError: If the training set is empty, is not split between the
                processes or has different classes from the validation set, or an
                epoch or the validation would not end; also as in :func:`survey`.
        """
        loader = runner.train_dataloader
        # Loops other than mmkd's have not checked it.
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            refuse_endless(loader)
        watch(loader)
        dataset = loader.dataset
        if hasattr(dataset, '__len__') and len(dataset) == 0:
            raise ValueError(
                f'no training images were found by {type(dataset).__name__} under '
                f'{getattr(dataset, "data_root", None)!r} (folders '
                f'{getattr(dataset, "data_prefix", None)}): pass --data-root, and '
                'check that the folders and file name suffixes are those of the data.'
            )
        self._infinite_by_design = set(_not_finite(model_of(runner).state_dict()))
        check_shares(runner)
        # A model that is fine-tuned may have started with other classes.
        validated = getattr(runner.val_loop, 'dataloader', None)
        if validated is not None:
            _refuse_endless_score('val_dataloader', validated)
        check_classes(
            {
                'train_dataloader': names_of(dataset),
                'val_dataloader': names_of(getattr(validated, 'dataset', None)),
                'test_dataloader': classes_at_test(runner),
                'the checkpoint': self._classes if runner._resume else None,
            }
        )
        if runner.iter == 0:
            self._unsure = survey(runner)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Check labels that could not be checked before the training.

        Raises:
            ValueError: If one is neither a class nor ignored; the message names it.
        """
        if self._unsure:
            check_batch(runner, runner.train_loop, data_batch)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check that the weights fit the model; remember the checkpoint's classes.

        Args:
            runner: The runner.
            checkpoint: The loaded one; its ``state_dict`` is set to the weights.

        Raises:
            ValueError: If they do not; the message names file and weights.
        """
        settle_weights(runner, checkpoint)
        self._classes = names_in(checkpoint)

    def before_val(self, runner: Runner) -> None:
        """Validate the same model in all processes, and name unreadable files."""
        share_buffers(runner)
        watch(runner.val_dataloader)

    def before_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Sequence[Any] | dict[str, Any] | None = None,
    ) -> None:
        """Check the labels that a score is computed from.

        Raises:
            ValueError: If one is neither a class nor ignored; the message names it.
        """
        check_batch(runner, runner.val_loop, data_batch)

    def before_test(self, runner: Runner) -> None:
        """Check the classes, and make a test name unreadable files.

        Raises:
            ValueError: If the checkpoint has other classes, or the test never ends.
        """
        _refuse_endless_score('test_dataloader', runner.test_dataloader)
        tested = names_of(runner.test_dataloader.dataset)
        check_classes({'the checkpoint': self._classes, 'test_dataloader': tested})
        watch(runner.test_dataloader)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Sequence[Any] | dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Check the losses of this iteration.

        Raises:
            FloatingPointError: If one is not finite, with its name.
        """
        wrong = [
            f'{name} = {float(value)}'
            for name, value in (outputs or {}).items()
            if 'loss' in name and not torch.as_tensor(value).isfinite().all()
        ]
        self._last_checkpoint = runner.message_hub.get_info('last_ckpt', None)
        if wrong:
            self._end(
                runner,
                f'iteration {runner.iter + 1}: {", ".join(wrong)}',
                'the weight of the loss named first',
            )

    def before_save_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Check the weights that are about to be saved.

        Those that were not finite at the start of training, such as masks, are
        ignored.

        Raises:
            FloatingPointError: If others are not finite, with the names of a few.
        """
        wrong = [
            name
            for name in _not_finite(checkpoint['state_dict'])
            if name not in self._infinite_by_design
        ]
        if wrong:
            self._end(
                runner,
                'not finite after the last update, and not saved: '
                f'{listed(wrong, 3)}',
                'the weights of the losses',
            )

    def _end(self, runner: Runner, what: str, weights: str) -> NoReturn:
        message = (
            f'{what}. {DIVERGED} {self._last_checkpoint or "none yet"}. Lower the '
            f'learning rate or {weights}, or clip gradients (optim_wrapper.clip_grad).'
        )
        # A report reads it in the log, which an exception does not reach.
        runner.logger.error(message)
        raise FloatingPointError(message)


def _refuse_endless_score(name: str, loader: Any) -> None:
    try:
        refuse_endless(loader)
    except ValueError as error:
        advice = "evaluation has to. Use sampler=dict(type='DefaultSampler')."
        raise ValueError(f'{name}: {str(error).replace(ADVICE, advice)}') from None


def _not_finite(state: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name, value in state.items()
        if isinstance(value, torch.Tensor) and not is_finite(value)
    ]
