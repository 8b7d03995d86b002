"""The row of recording: what storing adds to a pass of the teacher."""

import os
from collections import deque
from contextlib import redirect_stdout

from mmengine.runner import Runner

from benchmarks.rounds import in_turns, timed
from benchmarks.table import Row, row
from benchmarks.training import Workshop
from mmkd.recording.recorder import Recorder, TeacherStream
from mmkd.records import read_manifest

RECORDING = 'recording'
PASS = "the teacher's pass"


def recording(workshop: Workshop, rounds: int) -> Row:
    """Record a shard, and run the teacher on the same views without storing anything.

    Args:
        workshop: The pair's.
        rounds: How often the two take turns.
    """
    with open(os.devnull, 'w') as nowhere, redirect_stdout(nowhere):
        tool, cfg, _ = workshop.recording(workshop.record)
        stream = TeacherStream(Runner.from_cfg(tool['without_hooks'](cfg)))
    manifest = read_manifest(workshop.record)
    recorder = Recorder(stream, workshop.record, manifest)
    batches = recorder.batches(0)

    forms = {
        RECORDING: timed(lambda: recorder.write(0, stream.see(batches))),
        PASS: timed(lambda: deque(stream.see(batches), maxlen=0)),
    }
    times = in_turns(forms, rounds)
    ratios = [each[RECORDING] / each[PASS] for each in times]
    return row('recording ÷ a pass of the teacher', workshop.pair.title, ratios, 1.05)
