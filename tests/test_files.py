"""A file is whole or it is the one before, whatever fails."""

import builtins

import pytest

from gmlib.files import write_whole


def test_text_and_bytes_are_written_and_the_folder_is_made(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, "naïve")
    assert path.read_bytes() == "naïve".encode()
    write_whole(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("fails", ["open", "os.fsync", "os.replace"])
def test_a_failing_write_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch, refused, fails):
    path = tmp_path / "file"
    write_whole(path, b"earlier")

    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    owner, name = (builtins, "open") if fails == "open" else ("gmlib.files.os", fails.removeprefix("os."))
    with monkeypatch.context() as patch:
        patch.setattr(f"{owner}.{name}", full_disk) if isinstance(owner, str) else patch.setattr(owner, name, full_disk)
        with refused(f"cannot write {path}", "No space left on device", "writable"):
            write_whole(path, b"later")
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_below_a_file_cannot_be_made(tmp_path, refused):
    (tmp_path / "file").write_text("here")
    for path in (tmp_path / "file" / "x", tmp_path / "file" / "deeper" / "x"):
        with refused(f"cannot write {path}", "give a folder"):
            write_whole(path, b"content")
    assert (tmp_path / "file").read_text() == "here"
