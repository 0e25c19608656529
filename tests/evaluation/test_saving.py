"""A file is written whole or not at all."""

from pathlib import Path

import pytest

from evaluation.saving import write_atomically


def test_a_file_is_replaced_and_never_written_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, written = tmp_path / "new" / "counts.npz", []
    real = Path.write_bytes

    def write(path: Path, data: bytes) -> int:
        written.append(path)
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", write)
    for data in (b"one result", b"another"):
        write_atomically(file, data)
        assert file.read_bytes() == data
    assert len(written) == 2
    assert file not in written
    assert list(file.parent.iterdir()) == [file], "no other file is left"


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, data: bytes) -> int:
        path.open("wb").write(data[:3])
        raise OSError("No space left on device")

    file = tmp_path / "counts.npz"
    write_atomically(file, b"one result")
    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, b"another")
    assert file.read_bytes() == b"one result"
