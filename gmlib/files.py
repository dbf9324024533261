"""Files: what is written is whole or not there; what ships and is damaged says how it comes back."""

import contextlib
import errno
import os
import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from gmlib.errors import InputError, one_line


def write_whole(path: Path, content: bytes | str, *, sync: bool = True) -> None:
    """Write a file under a temporary name, sync it to the disk, and rename it.

    Args:
        path: the final name; its folder is made if it is missing.
        content: what to write; text is encoded as UTF-8.
        sync: wait until it is on the disk; without it a power cut, but no kill, may still lose what is written.

    Raises:
        InputError: if the folder cannot be made or written to. What stood there before still stands.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        advice = (
            "free some space, and start again; what was there before is untouched"
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            else "give a folder that exists or can be made, and is writable"
        )
        raise InputError(f"cannot write {path} ({error.strerror}): {advice}") from error
    finally:
        with contextlib.suppress(OSError):  # renamed already, or never made
            temporary.unlink()


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
    except (OSError, ValueError, EOFError, zlib.error, BadZipFile) as error:
        raise InputError(
            f"cannot read {path} ({one_line(error)}), expected a file that ships with gmlib: install gmlib again, or {remedy}"
        ) from error
