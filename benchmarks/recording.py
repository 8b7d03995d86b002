"""The row of recording: what storing adds to a pass of the teacher."""

import os
import time
from contextlib import redirect_stdout

from mmengine.runner import Runner

from benchmarks.rounds import in_turns
from benchmarks.table import Row, row
from benchmarks.training import Workshop
from mmkd.recording.recorder import Recorder, TeacherStream
from mmkd.records import read_manifest

RECORDING = 'recording'
PASS = "the teacher's pass"


def recording(workshop: Workshop, rounds: int) -> Row:
    """Record a shard, and show the teacher the same views without storing anything.

    Args:
        workshop: Of the pair.
        rounds: How often the two take turns.
    """
    with open(os.devnull, 'w') as nowhere, redirect_stdout(nowhere):
        tool, cfg, _ = workshop.recording(workshop.record)
        stream = TeacherStream(Runner.from_cfg(tool['without_hooks'](cfg)))
    manifest = read_manifest(workshop.record)
    recorder = Recorder(stream, workshop.record, manifest)
    batches = recorder.batches(0)

    def record() -> float:
        begin = time.process_time()
        recorder.write(0, stream.see(batches))
        return time.process_time() - begin

    def see() -> float:
        begin = time.process_time()
        for _ in stream.see(batches):
            pass
        return time.process_time() - begin

    times = in_turns({RECORDING: record, PASS: see}, rounds)
    ratios = [each[RECORDING] / each[PASS] for each in times]
    return row('recording ÷ a pass of the teacher', workshop.pair.title, ratios, 1.05)
