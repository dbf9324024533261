"""Files: what is written is whole or not there, and what cannot be written is refused before the work."""

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
    """Return the sentence for a file that the system does not let us write."""
    advice = (
        "free some space, and start again; what was there before is untouched"
        if error.errno in FULL
        else "give a folder that exists or can be made, and is writable"
    )
    return InputError(f"cannot write {path} ({error.strerror}): {advice}")


def require_writable(path: Path) -> None:
    """Refuse a file that cannot be written or must not be replaced. Nothing is touched.

    Args:
        path: name of a file, which may exist.

    Raises:
        InputError: if it is a folder or read-only, or if its folder neither exists nor can be made, or is not writable.
    """
    try:
        if path.is_dir():
            raise InputError(
                f"cannot write {path}, which is a folder: choose another name, or move the folder elsewhere"
            )
        if path.exists() and not (path.stat().st_mode & 0o222 and os.access(path, os.W_OK)):
            raise InputError(f"cannot write {path}, which is read-only: choose another name, or make it writable")
        folder = path.absolute().parent
        while not os.path.lexists(folder):
            folder = folder.parent
        if not folder.is_dir():
            raise _refusal(path, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise _refusal(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    except OSError as error:  # a name too long, or a folder that may not be looked into
        raise _refusal(path, error) from error


def _fill(path: Path, content: bytes | str, sync: bool) -> None:
    """Write a file in place and wait, if asked to, until it is on the disk."""
    with open(path, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        if sync:
            os.fsync(file.fileno())


class Replacement:
    """Files that are written under temporary names, and take their final names together: see `replacing`."""

    def __init__(self, *paths: Path) -> None:
        """Name the files; nothing is touched yet.

        Args:
            *paths: their final names.
        """
        self.temporary = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in paths}

    def write(self, path: Path, content: bytes | str, *, sync: bool = True) -> Path:
        """Write one of the files under its temporary name.

        Args:
            path: its final name.
            content: what to write; text is encoded as UTF-8.
            sync: wait until it is on the disk; without it a power cut, but no kill, may still lose what is written.

        Returns:
            The temporary name, under which it can be read back.

        Raises:
            InputError: if its folder cannot be made or written to.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _fill(self.temporary[path], content, sync)
        except OSError as error:
            raise _refusal(path, error) from error
        return self.temporary[path]


@contextlib.contextmanager
def replacing(*paths: Path) -> Iterator[Replacement]:
    """Replace several files at the end of a block; if the block fails, what stood there before still stands.

    Args:
        *paths: the final names.

    Yields:
        What the block writes them with. Each of them has to be written.

    Raises:
        InputError: if a file cannot be written.
    """
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
            with contextlib.suppress(OSError):  # renamed already, or never made
                temporary.unlink()


def write_whole(path: Path, content: bytes | str, *, sync: bool = True) -> None:
    """Write a file under a temporary name, sync it to the disk, and rename it.

    Args:
        path: the final name; its folder is made if it is missing.
        content: what to write; text is encoded as UTF-8.
        sync: wait until it is on the disk; without it a power cut, but no kill, may still lose what is written.

    Raises:
        InputError: if the file cannot be written. What stood there before still stands.
    """
    with replacing(path) as replacement:
        replacement.write(path, content, sync=sync)


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write a compressed npz file, whole or not at all.

    Args:
        path: the final name.
        **arrays: what `read_arrays` returns again.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_whole(path, buffer.getvalue())


def to_json(record: Any, what: str) -> str:
    """Return a record as JSON text that every reader takes.

    Args:
        record: dicts, lists, text, numbers, None.
        what: what the record is of, for the error.

    Returns:
        Indented text that ends with a line break.

    Raises:
        InputError: if the record holds NaN, an infinite number, or what JSON has no form for.
    """
    try:
        return json.dumps(record, indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise InputError(
            f"cannot write {what} as JSON ({one_line(error)}), expected finite numbers and text: nothing was written"
        ) from error


def read_arrays(path: Path, remedy: str) -> dict[str, np.ndarray]:
    """Read an npz file that ships with gmlib.

    Args:
        path: the file.
        remedy: how it is made, where installing gmlib again is no way.

    Returns:
        Name to array.

    Raises:
        InputError: if it is missing or damaged.
    """
    try:
        with open(path, "rb") as source, np.load(source) as file:
            return dict(file)
    except PermissionError as error:
        raise unreadable(path, error) from error
    except (OSError, ValueError, EOFError, zlib.error, BadZipFile) as error:
        raise InputError(
            f"cannot read {path} ({one_line(error)}), expected a file that ships with gmlib: install gmlib again, or {remedy}"
        ) from error


def unreadable(path: Path, error: OSError) -> InputError:
    """Return the sentence for a file that is there and that the system does not let us read.

    Args:
        path: the file.
        error: what the system said.

    Returns:
        The error to raise; it does not call the file damaged.
    """
    return InputError(f"cannot read {path} ({error.strerror}): allow this user to read it, or take another file")
