from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
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
def test_metafile_names_every_config(method: str) -> None:
    content = yaml.safe_load((ROOT / f'configs/{method}/metafile.yml').read_text())
    [collection] = content['Collections']
    assert (ROOT / collection['README']).is_file()
    models = content['Models']
    assert {model['In Collection'] for model in models} == {collection['Name']}
    names = [model['Name'] for model in models]
    assert len(set(names)) == len(names)
    assert sorted(ROOT / model['Config'] for model in models) == configs_of(method)
    data = {model['Metadata']['Training Data'] for model in models}
    assert data == set(collection['Metadata']['Training Data'])
