"""What a distiller needs of a teacher, whether it runs or was recorded."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

from mmengine.structures import BaseDataElement
from torch import Tensor

from mmkd.models.discovery import OUTPUT, ModelView
from mmkd.models.taps import Tap


class Teacher(ABC):
    """The teacher of a distillation.

    It is deliberately not an ``nn.Module``: the distiller's parameters, state dict,
    training mode, data parallelism and averaged copies do not include it.

    Attributes:
        view: Its layers and widths.
        classes: The order of its classes: ``match(names)`` compares it with the
            training set's, ``order`` describes the result.
        identity: A string to compare with the teacher of another training run.
        is_shared: Whether its weights belong to the teacher that it is a copy of.
    """

    is_shared = False
    view: ModelView
    classes: Any
    identity: str

    @abstractmethod
    def match_inputs(self, preprocessor: Any) -> None:
        """Make sure that the teacher gets the kind of input it was trained on.

        Args:
            preprocessor: The student's data preprocessor.
        """

    @abstractmethod
    def prepare(self, taps: Iterable[Tap]) -> None:
        """Prepare for everything that will ever be captured.

        Args:
            taps: The taps of all methods.
        """

    @abstractmethod
    def __call__(
        self,
        inputs: Tensor,
        taps: Iterable[Tap],
        data_samples: Sequence[BaseDataElement] = (),
    ) -> dict[Tap, Tensor]:
        """Return what the taps capture for a batch.

        Args:
            inputs: Images ``(N, C, H, W)`` as the student gets them.
            taps: What to capture.
            data_samples: The images' annotations.

        Returns:
            The captured tensors, without gradient; class predictions in the order of
            the student's classes. Read them only after :meth:`wait_for`.
        """

    @abstractmethod
    def wait_for(self, values: Mapping[Tap, Tensor]) -> None:
        """Make captured tensors safe to read from here on.

        Args:
            values: What a call returned.
        """

    @abstractmethod
    def apply(self, fn: Callable[[Tensor], Tensor]) -> None:
        """Move or cast the weights, as ``nn.Module._apply`` does."""

    def standing_taps(self, taps: Iterable[Tap]) -> AbstractContextManager[Any]:
        """A context in which a compiler traces its network as a whole.

        Args:
            taps: Everything that will be captured inside.
        """
        return nullcontext()

    @cached_property
    def logits(self) -> set[Tap]:
        """Where class predictions are captured."""
        try:
            return {OUTPUT, self.view.logits}
        except ValueError:
            # No single layer outputs them.
            return {OUTPUT}

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """An averaged or copied distiller shares the weights until it is moved."""
        shared = copy.copy(self)
        shared.is_shared = True
        return shared
