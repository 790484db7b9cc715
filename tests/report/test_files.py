"""Files are there in full or not at all."""

import os

import pytest

from dispatchcount.files import write

pytestmark = pytest.mark.torch_alone


def test_bytes_and_text_are_written(tmp_path):
    write(tmp_path / "a", b"\x00\r\n")
    write(str(tmp_path / "b"), "ключ\n")
    assert (tmp_path / "a").read_bytes() == b"\x00\r\n"
    assert (tmp_path / "b").read_bytes() == "ключ\n".encode()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_new_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    write(tmp_path / "new", b"")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_an_old_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "old"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_is_followed(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_what_is_no_regular_file_is_written_to(tmp_path):
    write(os.devnull, b"new")
    assert not os.path.isfile(os.devnull)


def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "old"
    path.write_bytes(b"old")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["old"]


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / "none" / "report.json"
    with pytest.raises(FileNotFoundError) as caught:
        write(path, b"")
    assert f"cannot write the file: there is no folder {path.parent}: '{path}'" in str(caught.value)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError, match="cannot write the file: it is a folder"):
        write(tmp_path, b"")


def test_a_relative_name_is_written_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("report.json", b"1")
    assert os.listdir(tmp_path) == ["report.json"]
