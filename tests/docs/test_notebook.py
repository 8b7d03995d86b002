"""The notebook runs from its first cell to its last, in an empty folder."""

import os
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / 'docs/notebooks/first_student.ipynb'


@pytest.mark.check
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip('nbformat')
    nbclient = pytest.importorskip('nbclient')
    monkeypatch.setenv('PYTHONPATH', str(NOTEBOOK.parents[2]), prepend=os.pathsep)
    # Beside other work more threads than cores wait for each other.
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    notebook = nbformat.read(NOTEBOOK, nbformat.NO_CONVERT)
    assert not any(cell.get('outputs') for cell in notebook.cells)
    place = dict(metadata=dict(path=str(tmp_path)))
    nbclient.NotebookClient(notebook, timeout=900, resources=place).execute()
    printed = [
        output.text
        for cell in notebook.cells
        for output in cell.get('outputs', ())
        if output.output_type == 'stream'
    ]
    assert any('dual_head (DualHead)' in text for text in printed)
    assert sum('%' in text and 'teacher' in text for text in printed) == 1
    assert (tmp_path / 'work_dirs/dhkd/student.pth').exists()
