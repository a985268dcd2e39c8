"""Files that are the old one or the new one at every moment, also where several processes write one."""

import subprocess
import sys
from pathlib import Path

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
