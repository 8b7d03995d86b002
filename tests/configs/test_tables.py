import json
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LINES = ROOT / 'docs' / 'results'
MEASURED = ('camvid', 'methods')
OTHERS = ('_base_', 'demo', 'students', 'teachers')
METHODS = sorted(
    folder.name
    for folder in (ROOT / 'configs').iterdir()
    if folder.is_dir() and folder.name not in OTHERS
)
TABULATED = [
    name for name in METHODS if (ROOT / 'configs' / name / 'metafile.yml').exists()
]


def configs_of(method: str) -> list[Path]:
    return sorted((ROOT / 'configs' / method).glob('*.py'))


@pytest.mark.parametrize('method', METHODS)
def test_readme_lists_every_config(method: str) -> None:
    text = (ROOT / 'configs' / method / 'README.md').read_text()
    rows = [line for line in text.splitlines() if line.startswith('| [')]
    links = sorted(row.split('](')[1].split(')')[0] for row in rows)
    assert links == [path.name for path in configs_of(method)]


def test_the_two_papers_and_their_baseline_have_metafiles() -> None:
    assert {'kd', 'dhkd', 'mhkd'} <= set(TABULATED)


@pytest.mark.parametrize('method', TABULATED)
def test_metafile_holds_what_was_measured(method: str) -> None:
    content = yaml.safe_load((ROOT / f'configs/{method}/metafile.yml').read_text())
    [collection] = content['Collections']
    assert (ROOT / collection['README']).is_file()
    models = content['Models']
    assert {model['In Collection'] for model in models} == {collection['Name']}
    data = {model['Metadata']['Training Data'] for model in models}
    assert data == set(collection['Metadata']['Training Data'])
    for model in models:
        config, told = Path(model['Config']), model['Metadata']
        settings, lines = told.get('Settings', []), measured(config.stem, method)
        scores = [
            line['last'] for line in lines if line.get('settings', []) == settings
        ]
        [result] = model['Results']
        [value] = result['Metrics'].values()
        assert value == pytest.approx(mean(scores), abs=0.01)
        assert told['Seeds'] == len(scores)
        alone = mean(line['last'] for line in measured(config.stem, 'none'))
        assert told['Student Alone'] == pytest.approx(alone, abs=0.01)
        assert config in {path.relative_to(ROOT) for path in configs_of(method)}


def measured(pair: str, method: str) -> list[dict[str, Any]]:
    """The lines of a row in docs/results.md, one per seed."""
    text = '\n'.join((LINES / f'{name}.jsonl').read_text() for name in MEASURED)
    lines = [json.loads(line) for line in text.splitlines() if line]
    return [
        line
        for line in lines
        if (line['command'][1], line['method']) == (pair, method)
        and line.get('variant', 'default') == 'default'
    ]
