"""Application logs as JSON, one object a line, for whatever collects a container's output."""

import json
import logging
from datetime import UTC, datetime
from typing import TextIO


class JsonLines(logging.Formatter):
    """Writes a record's time, level, logger and message, and the `fields` that came with it as `extra`.

    What a record says cannot make a line of its own: JSON escapes line breaks and control characters.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, without its end."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            # The type alone: what an exception says may quote personal data.
            line["exception"] = record.exc_info[0].__name__
        return json.dumps(line)


def write_json_lines(stream: TextIO) -> None:
    """Write every record from INFO on to `stream`, in this process."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
