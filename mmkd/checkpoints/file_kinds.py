"""Recognising files that are not PyTorch checkpoints."""

import tarfile
import zipfile
from pathlib import Path
from typing import IO

BEGINNINGS = {
    b'<': 'a web page or other markup: download the file it links to',
    b'version https://git-lfs': (
        'a Git LFS pointer: `git lfs pull` fetches the file it points to'
    ),
    b'\x89HDF': 'an HDF5 file',
    b'\x1f\x8b': 'a gzip archive: unpack it',
    b'\x93NUMPY': 'a NumPy array',
    **{
        b'\x80' + bytes([version]): (
            'a plain Python pickle: if you trust it, read it and save the '
            'weights with torch.save'
        )
        for version in (3, 4, 5)
    },
}
"""The first bytes of some files, and what kind of file they indicate."""


def is_safetensors(file: IO[bytes]) -> bool:
    """Whether a file is in the safetensors format: a length, then JSON.

    Args:
        file: Read from its current position, which is restored.
    """
    head = file.read(9)
    file.seek(-len(head), 1)
    return head[8:] == b'{' and int.from_bytes(head[:8], 'little') <= 100_000_000


def other_kind(file: IO[bytes]) -> str | None:
    """Name the kind of a file that is not a checkpoint, and what to do.

    Args:
        file: Read from its beginning.

    Returns:
        A description, such as ``'an HDF5 file'``, or None if the kind is unknown.
    """
    file.seek(0)
    head = file.read(64).lstrip(b'\xef\xbb\xbf \t\r\n')
    if not head:
        return 'empty'
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            names = [Path(name).name for name in archive.namelist()]
        if 'constants.pkl' in names:
            return (
                'a TorchScript program, which is code: if you trust it, save its '
                "weights, torch.save(torch.jit.load('FILE').state_dict(), 'WEIGHTS')"
            )
        if 'data.pkl' not in names:
            return f'a zip archive of {", ".join(names[:3])}: unpack it'
    for start, kind in BEGINNINGS.items():
        if head.startswith(start):
            return kind
    file.seek(0)
    if tarfile.is_tarfile(file):
        return 'a tar archive: unpack it, or save it again with a current PyTorch'
    return f'text: {head[:30].decode()!r}' if _is_text(head) else None


def _is_text(content: bytes) -> bool:
    return content.isascii() and ''.join(content.decode().split()).isprintable()
