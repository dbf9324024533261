"""Writing and reading files: a file is written whole or not at all, and a path that cannot be written is refused early."""

import contextlib
import errno
import io
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from gmlib.errors import InputError, one_line

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _refusal(path: Path, error: OSError) -> InputError:
    """Return the error for a file that the system does not let us write."""
    advice = (
        "free some space, and start again; the earlier file is unchanged"
        if error.errno in FULL
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
    except OSError as error:  # also a name that is too long, or a folder that may not be looked into
        raise _refusal(path, error) from error


class Replacement:
    """Files that are written under temporary names, and take their final names together: see `replacing`."""

    def __init__(self, *paths: Path) -> None:
        """Set the final names; nothing is written yet."""
        self.temporary = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in paths}

    def write(self, path: Path, content: bytes | str, *, sync: bool = True) -> Path:
        """Write the file of this final name under its temporary name, in UTF-8, and return the temporary name.

        With sync, wait until the file is on the disk. Without it the content may be lost in a power cut, but not in a kill.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.temporary[path], "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                if sync:
                    os.fsync(file.fileno())
        except OSError as error:
            raise _refusal(path, error) from error
        return self.temporary[path]


@contextlib.contextmanager
def replacing(*paths: Path) -> Iterator[Replacement]:
    """Replace files, each of which the block writes, at the end of the block; if the block fails, the earlier files stay."""
    for path in paths:
        require_writable(path)
    replacement = Replacement(*paths)
    try:
        yield replacement
        for path, temporary in replacement.temporary.items():
            try:
                os.replace(temporary, path)
            except OSError as error:
                raise _refusal(path, error) from error
    finally:
        for temporary in replacement.temporary.values():
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str, *, sync: bool = True) -> None:
    """Write a file, and the folder in which it lies, under a temporary name and rename it: whole or not at all."""
    with replacing(path) as replacement:
        replacement.write(path, content, sync=sync)


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
