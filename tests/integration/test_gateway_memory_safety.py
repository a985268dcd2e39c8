"""What no call may do to the gateway's memory. Valgrind tells: the process itself dies much later, or never."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tests.integration.test_gateway_injection

_LONGEST_S = 300
_ATTACKS = Path(tests.integration.test_gateway_injection.__file__)


@pytest.mark.timeout(_LONGEST_S)
def test_a_method_that_is_no_text_writes_to_no_memory_that_was_given_back() -> None:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.skip("left out: no Valgrind is installed")
    pytest_again = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--timeout=0", "-k", "no_text")

    run = subprocess.run(
        # What is read before it was written is not looked for here, and looking for it takes half of the time.
        [valgrind, "--quiet", "--error-limit=no", "--undef-value-errors=no", *pytest_again, str(_ATTACKS)],
        env={**os.environ, "PYTHONMALLOC": "malloc"},
        capture_output=True,
        text=True,
        timeout=_LONGEST_S - 10,
        check=False,
    )

    assert "2 passed" in run.stdout, run.stdout
    assert "Invalid write" not in run.stderr
