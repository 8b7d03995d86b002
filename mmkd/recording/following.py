"""Checks before a training that uses a record."""

from typing import Any

from mmengine.dist import broadcast_object_list, get_rank
from mmengine.runner import Runner

from mmkd.models.teachers.recorded import RecordedTeacher
from mmkd.models.teachers.recorded_samples import AddRecorded
from mmkd.nearest import listed
from mmkd.recording.notes import notes_of
from mmkd.recording.refusals import refuse_unrepeatable
from mmkd.recording.sources import (
    hash_of_lines,
    input_hashes,
    pipeline_of,
    sample_lines,
)
from mmkd.records import RecordError
from mmkd.records.manifest import SAMPLES, told
from mmkd.resilience.loops import ResumableLoop
from mmkd.resilience.views import Views


def follow_record(runner: Runner, teacher: RecordedTeacher, preprocessor: Any) -> None:
    """Make a training see the recorded views and read the recorded values.

    All processes must call it before the first batch is read.

    Args:
        runner: The runner, whose training loop is built.
        teacher: The teacher of its model.
        preprocessor: The student's data preprocessor.

    Raises:
        RecordError: If the training sees other views, has other data, or makes
            different network inputs from them; the message names what differs.
        ValueError: If its views depend on more than seed, view and sample.
    """
    loop, manifest = runner.train_loop, teacher.manifest
    if not isinstance(loop, ResumableLoop):
        raise RecordError(
            'a record needs a training loop of mmkd, which `mmkd train` sets, but '
            f'train_cfg.type is {type(loop).__name__}.'
        )
    _take_views(loop, Views(manifest.views['seed'], manifest.views['count']))
    refuse_unrepeatable(runner.cfg, loop.dataloader, preprocessor)
    # One process checks the files that all of them read.
    found = [_differences(runner, teacher, preprocessor) if get_rank() == 0 else None]
    broadcast_object_list(found)
    if found[0]:
        raise RecordError(
            f'the record {str(teacher.rows.folder)!r} has other views: '
            f'{listed(found[0], 4, "; ")}. Train as it was recorded, or record again.'
        )
    loop.dataloader.reader.note = AddRecorded(teacher.rows, teacher.needed)
    _report(runner, teacher)


def _take_views(loop: ResumableLoop, recorded: Views) -> None:
    given = {'views': loop.view_count, 'view_seed': loop.view_seed}
    known = {'views': recorded.count, 'view_seed': recorded.seed}
    wrong = [
        f'train_cfg.{name} is {known[name]} in the record and {value} here'
        for name, value in given.items()
        if value not in (None, known[name])
    ]
    if wrong:
        raise RecordError(
            f'{"; ".join(wrong)}. Leave it out to use the value of the record.'
        )
    loop.view_count, loop.view_seed = recorded.count, recorded.seed


def _differences(
    runner: Runner, teacher: RecordedTeacher, preprocessor: Any
) -> list[str]:
    manifest, loader = teacher.manifest, runner.train_loop.dataloader
    pipeline = manifest.known_of(pipeline_of(runner.cfg))
    found = told(manifest.pipeline, pipeline, 'pipeline')
    lines = list(sample_lines(loader.dataset))
    if hash_of_lines(lines) != manifest.data['sha256']:
        found += _other_samples(teacher, lines)
    if found:
        return found
    rows = list(map(int, manifest.inputs['hashes']))
    _, hashes = input_hashes(loader, runner.train_loop.views, preprocessor, rows)
    known = manifest.inputs['hashes']
    wrong = [row for row, found_hash in hashes.items() if found_hash != known[row]]
    if wrong:
        found.append(
            f'inputs.hashes: {len(wrong)} of {len(rows)} recomputed network inputs '
            'differ from the recorded ones. The files have changed, or other versions '
            f'read them differently ({listed(_other_notes(runner, teacher), 5)})'
        )
    return found


def _other_samples(teacher: RecordedTeacher, lines: list[str]) -> list[str]:
    count = teacher.manifest.samples
    if len(lines) != count:
        return [f'data.samples is {count} in the record and {len(lines)} here']
    listing = teacher.rows.folder / SAMPLES
    then = listing.read_text().splitlines() if listing.is_file() else []
    for number, (was, now) in enumerate(zip(then, lines, strict=False)):
        if was != now:
            return [f'data: sample {number} is {was!r} in the record and {now!r} here']
    return ['data.sha256 differs: the samples are different']


def _other_notes(runner: Runner, teacher: RecordedTeacher) -> list[str]:
    return told(teacher.manifest.notes, notes_of(runner))


def _report(runner: Runner, teacher: RecordedTeacher) -> None:
    known = teacher.manifest.teacher
    score = known['score'] or 'not measured'
    runner.logger.info(
        f'The teacher {known["checkpoint"]["name"]} is read from '
        f'{teacher.rows.folder}: {teacher.manifest.views["count"]} views of '
        f'{teacher.manifest.samples} samples. Its score when it was recorded: {score}.'
    )
    others = _other_notes(runner, teacher)
    if others:
        runner.logger.info(f'Differences that do not matter: {"; ".join(others)}.')
