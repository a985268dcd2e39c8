"""Files that are the old one or the new one at every moment, also where several processes write one."""

import subprocess
import sys
from pathlib import Path

import pytest

from lienthong_core.whole_file import replacing

_OTHER = """
import pathlib, sys
from lienthong_core.whole_file import replacing
with replacing(pathlib.Path(sys.argv[1])) as unfinished:
    unfinished.write_text("theirs")
"""


def test_what_another_process_writes_to_the_same_file_meanwhile_is_not_mixed_in(tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    with replacing(file) as unfinished:
        unfinished.write_text("ours")
        subprocess.run([sys.executable, "-c", _OTHER, str(file)], check=True, timeout=30)
        assert file.read_text() == "theirs"
        assert unfinished.read_text() == "ours"

    assert file.read_text() == "ours"
    assert list(tmp_path.iterdir()) == [file]


def write_where_nothing_can_be_removed_either(file: Path) -> None:
    with replacing(file) as unfinished:
        unfinished.mkdir()
        unfinished.write_text("ours")


def test_what_could_not_be_written_is_told_by_the_name_that_was_asked_for_whatever_is_left(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=r"/export\.jsonl'$"):
        write_where_nothing_can_be_removed_either(tmp_path / "export.jsonl")
