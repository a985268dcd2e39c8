"""Application logs as one JSON object a line."""

import json
import logging

from hypothesis import given
from hypothesis import strategies as st

from lienthong_core.json_lines import JsonLines


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.getLogger("test").makeRecord(
        "test", logging.INFO, "file", 1, "%s", (message,), None, extra={"fields": extra}
    )


@given(st.text(), st.text())
def test_whatever_is_logged_is_one_line_of_ascii(message: str, value: str) -> None:
    line = JsonLines().format(record(message, reason=value))
    assert line.isascii()
    assert line.isprintable()
    read = json.loads(line)
    assert (read["message"], read["reason"], read["logger"], read["level"]) == (message, value, "test", "INFO")


def test_of_an_exception_only_its_type_is_written() -> None:
    failed = record("failed")
    failed.exc_info = (ValueError, ValueError("099190000001"), None)
    line = JsonLines().format(failed)
    assert json.loads(line)["exception"] == "ValueError"
    assert "099190000001" not in line
