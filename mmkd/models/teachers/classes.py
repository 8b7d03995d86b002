"""Which channels of a teacher's logits are the classes of the student."""

from collections.abc import Callable, Sequence

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmkd.models.class_names import both, keys, places_of
from mmkd.models.discovery import ModelView
from mmkd.nearest import nearest_and_known


class TeacherClasses:
    """The order of a teacher's classes, compared with the training set's by name.

    Args:
        view: The teacher.
        names: The names in its checkpoint; None if there are none.
        setting: Overrides them: the names of all its channels; or some of the names
            in the checkpoint, or channel numbers, to compare only these;
            ``'same'`` for the student's order, whatever the names. None uses
            the checkpoint's.

    Attributes:
        channels: The channels that are the student's classes, in its order; None
            for all as they are.
        order: What is known about the order, for the table at the start.

    Raises:
        ValueError: If the setting is invalid.
    """

    def __init__(
        self,
        view: ModelView,
        names: Sequence[str] | None = None,
        setting: str | Sequence[str | int] | None = None,
    ) -> None:
        self.view = view
        self.channels: Tensor | None = None
        self.order = 'not checked: no mmkd.PrepareMethodsHook is in default_hooks'
        if setting == 'same':
            names, self.order = None, "not checked: teacher.classes is 'same'"
        elif setting is not None:
            places, names = _by_hand(setting, names, view.num_classes)
            self._take(places)
        if setting is None and names is None:
            self.order = "not checked: the teacher's checkpoint names no classes"
        elif names is None and self.channels is not None:
            self.order = 'as in teacher.classes'
        view.class_names = names

    def match(self, names: Sequence[object] | None) -> None:
        """Bring the channels into the order of the training set's classes.

        Args:
            names: The training set's classes; None if it names none.

        Raises:
            ValueError: If the classes differ.
        """
        known, count = self.view.class_names, self.view.class_count
        if known is None:
            return
        if not names:
            self.order = 'not checked: the training set names no classes'
            return
        if len(known) != count:
            self.order = (
                f"not checked: the teacher's checkpoint names {len(known)} classes, "
                f'but it has {count}'
            )
            return
        own = [str(name) for name in names]
        places = places_of(own, known)
        if places is None:
            self.order = "compared: it is the training set's"
            return
        if self.view.num_classes == 1:
            raise ValueError(
                f'{both(own, known)} A single channel cannot be permuted: swap the '
                'labels of the training set, or, if the names are wrong, set '
                "teacher=dict(classes='same')."
            )
        self._take(places)
        self.view.class_names = [known[place] for place in places]
        self.order = "compared: the teacher's logits are permuted to the training set's"
        print_log(
            "The teacher has the training set's classes in a different order: its "
            'logits are permuted.',
            logger='current',
        )

    def _take(self, places: Sequence[int] | None) -> None:
        if places is None:
            return
        # Where the logits are: copying them there in every step would block a GPU.
        device = next(self.view.model.parameters()).device
        chosen = torch.tensor(places, device=device)
        self.channels = chosen if self.channels is None else self.channels[chosen]
        self.view.num_classes = len(places)

    def select(self, logits: Tensor) -> Tensor:
        """The channels of the student's classes, ``(N, K, *)``.

        Raises:
            ValueError: If they cannot be compared with a student's classes.
        """
        if self.view.refused:
            raise ValueError(self.view.refused)
        if self.channels is None:
            return logits
        return logits.index_select(1, self.channels)

    def apply(self, fn: Callable[[Tensor], Tensor]) -> None:
        """Move the channels, as ``nn.Module._apply`` does."""
        if self.channels is not None:
            self.channels = fn(self.channels)

    def numbers(self, predictions: Tensor) -> Tensor:
        """The student's indices of predicted classes; -1 for classes it lacks.

        Args:
            predictions: Channel indices of the teacher, of any shape.
        """
        if self.channels is None:
            return predictions
        channels = self.channels.to(predictions.device)
        size = 1 + int(max(channels.max(), predictions.max()))
        places = torch.full((size,), -1, device=predictions.device)
        places[channels] = torch.arange(len(channels), device=predictions.device)
        return places[predictions]


def _by_hand(
    setting: str | Sequence[str | int], names: Sequence[str] | None, count: int
) -> tuple[list[int] | None, list[str] | None]:
    """The channels that a setting chooses, None for all, and their names."""
    kinds = {type(entry) for entry in setting}
    if isinstance(setting, str) or kinds not in ({str}, {int}):
        raise ValueError(
            "classes must be 'same', or a list of names or of channel numbers, got "
            f'{setting!r}.'
        )
    if kinds == {int}:
        numbers = [int(entry) for entry in setting]
        if not all(0 <= number < count for number in numbers):
            raise ValueError(
                f'classes must be channels of the teacher, 0 to {count - 1}, got '
                f'{numbers}.'
            )
        return numbers, None
    wanted = [str(entry) for entry in setting]
    if len(wanted) == max(count, 2):
        return None, wanted
    if names is None or len(names) != count:
        raise ValueError(
            f'classes has {len(wanted)} names, but the teacher has {count} channels, '
            'whose names are not in its checkpoint: name all of them, or give the '
            'numbers of those to compare.'
        )
    known, own = keys(names, wanted)
    for name, key in zip(wanted, own, strict=True):
        if key not in known:
            raise ValueError(
                f'the checkpoint names no class {name!r}.'
                + nearest_and_known(name, names)
            )
        if known.count(key) > 1:
            raise ValueError(
                f'the checkpoint names several classes {name!r}: give the numbers of '
                'the channels to compare.'
            )
    return [known.index(key) for key in own], wanted
