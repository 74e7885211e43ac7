import os
import stat
from pathlib import Path

import pytest

from stackae.serialization.files import atomic_write, atomic_write_text

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX file modes, links and pipes")


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_holds_the_bytes_and_nothing_else_is_left(tmp_path):
    with atomic_write(tmp_path / "new.bin") as file:
        file.write(b"abc")
    assert (tmp_path / "new.bin").read_bytes() == b"abc"
    assert names(tmp_path) == ["new.bin"]


def test_an_existing_file_is_replaced(old):
    with atomic_write(str(old)) as file:
        file.write(b"new")
    assert old.read_bytes() == b"new"


def test_the_old_file_is_there_until_the_block_ends(old):
    with atomic_write(old) as file:
        file.write(b"new")
        file.flush()
        assert old.read_bytes() == b"old"


def test_the_temporary_file_is_hidden_in_the_same_folder_and_named_after_the_destination(old):
    with atomic_write(old):
        (temporary,) = (name for name in names(old.parent) if name != old.name)
        assert temporary.startswith(f".{old.name}.")
        assert temporary.endswith(".tmp")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_any_exception_leaves_the_old_file_whole_and_no_temporary_file(old, error):
    def fail():
        with atomic_write(old) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert old.read_bytes() == b"old"
    assert names(old.parent) == [old.name]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_old_file_whole_and_no_temporary_file(old, monkeypatch, call):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write_text(old, "new")
    assert old.read_bytes() == b"old"
    assert names(old.parent) == [old.name]


def test_the_file_is_flushed_before_the_rename_and_the_folder_after_it(old, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor):
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noted_replace(*paths):
        calls.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    atomic_write_text(old, "new")
    assert calls == (["file", "rename", "folder"] if os.name == "posix" else ["file", "rename"])


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(OSError, match="is a folder, not a regular file") as caught, atomic_write(tmp_path):
        pass
    assert "\n" not in str(caught.value)


@posix
@pytest.mark.parametrize("target", ["old.bin", "nothing"])
def test_a_link_is_refused_and_what_it_points_at_stays(tmp_path, target):
    (tmp_path / "old.bin").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(OSError, match="is a link"), atomic_write(tmp_path / "link"):
        pass
    assert names(tmp_path) == ["link", "old.bin"]
    assert (tmp_path / "old.bin").read_bytes() == b"old"


@posix
def test_a_pipe_is_refused_without_waiting_for_its_reader(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is a pipe"), atomic_write(tmp_path / "pipe"):
        pass


@posix
def test_a_device_is_refused():
    with pytest.raises(OSError, match="is a device"), atomic_write(os.devnull):
        pass


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "missing" / "file"):
        pass


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_that_open_would_give_it(tmp_path, mask):
    before = os.umask(mask)
    try:
        atomic_write_text(tmp_path / "atomic", "")
        (tmp_path / "plain").write_text("")
    finally:
        os.umask(before)
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@posix
def test_an_existing_file_keeps_its_mode(old):
    old.chmod(0o640)
    atomic_write_text(old, "new")
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


def test_text_is_written_as_utf_8_with_its_own_line_ends(tmp_path):
    atomic_write_text(tmp_path / "text", "ä\nb\r\n")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa4\nb\r\n"
