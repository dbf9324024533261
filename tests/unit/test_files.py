"""After any failure a file is whole: the new one or the one before."""

import builtins
import os

import numpy as np
import pytest

from gmlib.files import read_arrays, require_writable, to_json, unreadable, write_arrays, write_whole


def test_text_and_bytes_are_written_and_the_folder_is_made(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, "naïve")
    assert path.read_bytes() == "naïve".encode()
    write_whole(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("function", ["open", "fsync", "replace"])
def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch, refused, function):
    path = tmp_path / "file"
    write_whole(path, b"earlier")

    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(builtins if function == "open" else os, function, full_disk)
        with refused(f"cannot write {path}", "free some space"):
            write_whole(path, b"later")
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"earlier")

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"later")
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("folder", "is a folder"),
        ("file/deeper/x", "Not a directory"),
        (f"{'x' * 300}/x", "cannot write"),
        ("read-only", "read-only"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_before_the_work(tmp_path, refused, path, word):
    (tmp_path / "folder").mkdir()
    for name in ("file", "read-only"):
        (tmp_path / name).write_text("earlier")
    (tmp_path / "read-only").chmod(0o444)
    for check in (require_writable, lambda path: write_whole(path, b"later")):
        with refused(word):
            check(tmp_path / path)
    require_writable(tmp_path / "new" / "deeper" / "x")
    require_writable(tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "read-only"]
    assert (tmp_path / "read-only").read_text() == "earlier"


def test_a_folder_without_permission(tmp_path, refused, monkeypatch):
    monkeypatch.setattr("gmlib.files.os.access", lambda path, mode: path != tmp_path)  # root may write everywhere
    for path in (tmp_path / "x", tmp_path / "new" / "x"):
        with refused("Permission denied"):
            require_writable(path)
    assert "Permission denied" in str(unreadable(tmp_path, PermissionError(13, "Permission denied")))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.int64(3), {1, 2}])
def test_what_other_readers_refuse_is_not_written_as_json(refused, value):
    assert to_json({"a": 1.5}, "x") == '{\n "a": 1.5\n}\n'
    with refused("the record", "finite numbers"):
        to_json({"a": [value]}, "the record")


@pytest.mark.parametrize("damage", ["missing", "empty", "half", "a byte", "text"])
def test_arrays_that_cannot_be_read(tmp_path, refused, damage):
    path = tmp_path / "arrays.npz"
    write_arrays(path, images=np.arange(1000) % 7)
    content = path.read_bytes()
    assert np.array_equal(read_arrays(path, "")["images"], np.arange(1000) % 7)
    middle = len(content) // 3
    altered = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    path.write_bytes({"empty": b"", "half": content[: len(content) // 2], "a byte": altered}.get(damage, b"text"))
    if damage == "missing":
        path.unlink()
    with refused(f"cannot read {path}", "make it with this"):
        read_arrays(path, "make it with this")
