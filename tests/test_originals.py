import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmkd.originals import digest_of, new_folder, opened, read_image, read_text
from mmkd.resilience.files import PARTIAL


def png(*shape: int) -> bytes:
    return cv2.imencode('.png', np.full(shape, 7, np.uint8))[1].tobytes()


def test_reads_from_a_folder_and_from_an_archive(tmp_path: Path) -> None:
    (tmp_path / 'a.png').write_bytes(png(4, 6, 3))
    (tmp_path / 'a.txt').write_text('one two')
    with zipfile.ZipFile(tmp_path / 'all.zip', 'w') as archive:
        for name in ('a.png', 'a.txt'):
            archive.write(tmp_path / name, f'set/{name}')
    for root in (tmp_path, zipfile.Path(tmp_path / 'all.zip', 'set/')):
        assert read_text(root / 'a.txt') == 'one two'
        assert (read_image(root / 'a.png', (4, 6, 3)) == 7).all()
        with pytest.raises(FileNotFoundError, match=r'b\.png is missing'):
            read_image(root / 'b.png', (4, 6, 3))


def test_an_image_without_colours_gets_three_channels(tmp_path: Path) -> None:
    (tmp_path / 'grey.png').write_bytes(png(4, 6))
    assert read_image(tmp_path / 'grey.png', (4, 6, 3)).shape == (4, 6, 3)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'is not an image'),
        (b'GIF89a and no more', 'is not an image'),
        (png(6, 4), r'must be uint8 of shape \(4, 6\), got uint8 of shape \(6, 4\)'),
        (png(4, 6, 3), r'must be .*, got uint8 of shape \(4, 6, 3\)'),
    ],
)
def test_what_is_not_expected_is_refused_by_name(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / 'b.png').write_bytes(content)
    with pytest.raises(ValueError, match=rf'b\.png {message}'):
        read_image(tmp_path / 'b.png', (4, 6))


def jpeg() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    return cv2.imencode('.jpg', pixels)[1].tobytes()


@pytest.mark.parametrize('kept', [0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize('zeros', [True, False])
def test_a_jpeg_without_its_end_is_damaged(
    tmp_path: Path, kept: float, zeros: bool
) -> None:
    whole = jpeg()
    path, length = tmp_path / 'a.jpg', int(kept * len(whole))
    path.write_bytes(whole[:length] + bytes(zeros * (len(whole) - length)))
    with pytest.raises(ValueError, match=r'a\.jpg is not an image, or is damaged'):
        read_image(path, (64, 64, 3))
    # An embedded image, and what comes behind the end.
    inner = b'\xff\xe1' + (len(whole) + 2).to_bytes(2, 'big') + whole
    for beside in (whole[:2] + inner + whole[2:], whole[:2] + b'\xff' + whole[2:]):
        path.write_bytes(beside + b'\x00\xff\xda\x00')
        read_image(path, (64, 64, 3))
    path.write_bytes(whole[:2] + b'\xff\xd0' + whole[2:])
    read_image(path, (64, 64, 3))
    path.write_bytes(whole[:2] + inner + whole[2:length] + bytes(9))
    with pytest.raises(ValueError, match=r'a\.jpg is not an image, or is damaged'):
        read_image(path, (64, 64, 3))


def test_a_damaged_archive_and_its_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / 'all.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('set/a.txt', ' '.join(map(str, range(999))))
        archive.writestr('set/b.txt', 'one two'.encode('utf-16'))
    whole = path.read_bytes()
    with pytest.raises(ValueError, match=r'all\.zip/set/b\.txt is not a text in UTF-8'):
        read_text(opened(path, 'set') / 'b.txt')
    for damage in (bytes(40), b'\xff' * 40):
        path.write_bytes(whole[:60] + damage + whole[100:])
        with pytest.raises(ValueError, match=r'all\.zip/set/a\.txt cannot be read: '):
            read_text(opened(path, 'set') / 'a.txt')
    path.write_bytes(whole[:-30])
    with pytest.raises(ValueError, match=r'all\.zip is not an archive, or is damaged'):
        opened(path, 'set')
    assert opened(tmp_path, 'set') == tmp_path


def test_a_digest_is_compared_with_that_of_the_original() -> None:
    assert digest_of('0123456789abcdef01', None) == 'sha256 0123456789abcdef'
    same = digest_of('0123456789abcdef01', '0123456789abcdef')
    assert same == 'sha256 0123456789abcdef, as it should be'
    assert ', not 1 as it should be: damaged' in digest_of('0123456789abcdef01', '1')


def test_a_folder_is_there_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / 'data' / 'set'
    with new_folder(target) as partial:
        (partial / 'a').write_text('a')
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ['a']
    assert list(target.parent.iterdir()) == [target]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), new_folder(tmp_path / 'set') as partial:
        read_text(partial / 'a')
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_has_left_goes(tmp_path: Path) -> None:
    half = tmp_path / f'set{PARTIAL}'
    half.mkdir()
    (half / 'some').write_text('a')
    with new_folder(tmp_path / 'set'):
        pass
    assert list((tmp_path / 'set').iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'mine').write_text('a')
    with pytest.raises(FileExistsError, match='exists already'), new_folder(tmp_path):
        raise AssertionError
    assert (tmp_path / 'mine').read_text() == 'a'
