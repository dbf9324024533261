"""Writing and reading files: a file is written whole or not at all, and a path that cannot be written is refused early."""

import contextlib
import errno
import io
import json
import os
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from gmlib.errors import InputError, one_line

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space, over quota, file too large


def _not_writable(path: Path, error: OSError) -> InputError:
    """Return the error for a file that the system does not let us write."""
    advice = (
        "free some space, and start again; the earlier file is unchanged"
        if error.errno in DISK_FULL
        else "give a folder that exists or can be made, and is writable"
    )
    return InputError(f"cannot write {path} ({error.strerror}): {advice}")


def unreadable(path: Path, error: OSError) -> InputError:
    """Return the error for a file that exists and that the system does not let us read."""
    return InputError(f"cannot read {path} ({error.strerror}): allow this user to read it, or use another file")


def require_writable(path: Path) -> None:
    """Raise InputError if a file cannot be written or must not be replaced; nothing is written or made."""
    try:
        if path.is_dir():
            raise InputError(f"cannot write {path}, which is a folder: choose another name, or move the folder")
        if path.exists() and not (path.stat().st_mode & 0o222 and os.access(path, os.W_OK)):
            raise InputError(f"cannot write {path}, which is read-only: choose another name, or make it writable")
        folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
        if not folder.is_dir():
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:  # also for a name that is too long, or a folder without permission to list it
        raise _not_writable(path, error) from error


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file in UTF-8, and make its folder: under a temporary name that is renamed, so that it is whole or not there."""
    require_writable(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())  # a power cut after the renaming loses nothing
        os.replace(temporary, path)
    except OSError as error:
        raise _not_writable(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # it was renamed, or could not be made
            temporary.unlink()


def to_json(record: Any, what: str) -> str:
    """Return a record as indented JSON; raise InputError if it holds NaN, an infinite number or another type."""
    try:
        return json.dumps(record, indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise InputError(
            f"cannot write {what} as JSON ({one_line(error)}), expected finite numbers and text: nothing was written"
        ) from error


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write a compressed npz file, whole or not at all."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_whole(path, buffer.getvalue())


def read_arrays(path: Path, remedy: str) -> dict[str, Any]:
    """Return the arrays of an npz file by name; raise InputError, with the remedy, if the file is missing or damaged."""
    try:
        with open(path, "rb") as source, np.load(source) as file:
            return dict(file)
    # TypeError: a single array, without names
    except (OSError, ValueError, TypeError, EOFError, zlib.error, BadZipFile) as error:
        raise InputError(f"cannot read {path} ({one_line(error)}), expected an npz file of arrays: {remedy}") from error
