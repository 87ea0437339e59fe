"""Look into a zip archive before anybody unpacks it: what it holds, and whether it is as small as it says.

XLSX, ODS and OneRoster bundles are zip archives. Nothing here reads a row.
"""

import zipfile
from pathlib import Path

from notifier.kit.errors import Invalid

_BLOCK = 1 << 20
_MAX_MEMBERS = 2_000
_ENCRYPTED = 1


def open_archive(path: Path, *, max_bytes: int) -> zipfile.ZipFile:
    """Open an archive whose unpacked members together stay within `max_bytes`. Raises Invalid.

    What the directory of the archive says is checked first; since it can lie, every member is then unpacked once, in
    blocks, and counted.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as wrong:
        raise Invalid(f"{path.name} is damaged: {wrong}; export the list once more") from wrong
    try:
        _check(path, archive, max_bytes)
    except BaseException:
        archive.close()
        raise
    return archive


def _check(path: Path, archive: zipfile.ZipFile, max_bytes: int) -> None:
    members = archive.infolist()
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise Invalid(f"{path.name} is protected by a password; save it without one")
    if len(members) > _MAX_MEMBERS or sum(member.file_size for member in members) > max_bytes:
        raise _too_large(path, max_bytes)
    left = max_bytes
    for member in members:
        left -= _unpacked(path, archive, member, left)
        if left < 0:
            raise _too_large(path, max_bytes)


def _unpacked(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> int:
    size = 0
    try:
        with archive.open(member) as file:
            while size <= limit and (block := file.read(_BLOCK)):
                size += len(block)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError) as wrong:
        raise Invalid(f"{path.name} is damaged ({member.filename}: {wrong}); export the list once more") from wrong
    return size


def _too_large(path: Path, max_bytes: int) -> Invalid:
    return Invalid(
        f"{path.name} unpacks to more than {max_bytes >> 20} MB; that is no contact list. Save a long list as CSV, or "
        "raise the setting lists.max_unpacked_mb"
    )
