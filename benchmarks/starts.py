"""Rows of starts: from the command to the first step."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.commands import ROOT, TRAIN, run
from benchmarks.rounds import Form, in_turns
from benchmarks.table import Row, row
from benchmarks.training import Workshop

OWN = "MMEngine's own runner"
COMMANDS = {'student': 'none', 'DHKD': 'dhkd'}
"""The value of ``--method``, by the name of the row."""

SECONDS = 10.0
"""Time for a round on a slow machine."""

WITHOUT_WORKERS = dict(num_workers=0, persistent_workers=False)


def rows(workshop: Workshop, rounds: int) -> Iterator[Row]:
    """Measure the CPU time of a start, against MMEngine's own.

    All read the same config files; the data loader has no workers, so that all work is
    done in the process that is measured.

    Args:
        workshop: Has the pair's data and teacher.
        rounds: How often the commands take turns.
    """
    forms = {name: _ours(workshop, method) for name, method in COMMANDS.items()}
    forms[OWN] = _until_first_step(
        str(ROOT / 'benchmarks' / 'own_runner.py'), str(_own_config(workshop))
    )
    times = in_turns(forms, rounds, warm_up=0, seconds=SECONDS)
    for name in COMMANDS:
        yield row(
            f"{name}: command to first step ÷ MMEngine's runner",
            workshop.pair.title,
            [seconds[name] / seconds[OWN] for seconds in times],
            1.1,
        )


def _until_first_step(*command: str) -> Form:
    script = str(ROOT / 'benchmarks' / 'first_step.py')
    return lambda: float(run([script, *command]).split()[-1])


def _ours(workshop: Workshop, method: str) -> Form:
    alone = method == 'none'
    changes = [
        f'{split}_dataloader.{key}={value}'
        for split in ('train', 'val')
        for key, value in WITHOUT_WORKERS.items()
    ]
    if workshop.pair.is_maps:
        changes.append(f'model.{"" if alone else "student."}pretrained=None')
    return _until_first_step(
        *(TRAIN, workshop.pair.name, '--method', method, '--no-teacher-check'),
        *('--data-root', str(workshop.data)),
        *('--work-dir', str(workshop.folder / f'start_{method}')),
        *(() if alone else ('--teacher', str(workshop.teacher))),
        *('--cfg-options', *changes),
    )


def _own_config(workshop: Workshop) -> Path:
    """The config of the student alone, for a training without mmkd's tools."""
    loader = dict(WITHOUT_WORKERS, dataset=dict(data_root=str(workshop.data)))
    changes = dict(
        _base_=workshop.pair.student,
        work_dir=str(workshop.folder / 'start_own'),
        train_dataloader=loader,
        val_dataloader=loader,
    )
    if workshop.pair.is_maps:
        changes['model'] = dict(pretrained=None)
    else:
        changes['custom_imports'] = dict(
            imports=['mmkd.datasets', 'mmkd.models.backbones']
        )
    file = workshop.folder / 'student.py'
    file.write_text('\n'.join(f'{key} = {value!r}' for key, value in changes.items()))
    return file
