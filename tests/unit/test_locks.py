import re
from pathlib import Path

LOCKS = Path(__file__).parents[2] / "requirements"
PIN = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>\S+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return {match["name"]: match["version"] for match in PIN.finditer((LOCKS / lock).read_text(encoding="utf-8"))}


def test_what_runs_is_locked_at_the_versions_that_are_tested() -> None:
    tested = pins("dev.txt")

    assert pins("runtime.txt")
    assert pins("runtime.txt").items() <= tested.items()
    assert pins("build.txt").items() <= tested.items()


def test_no_lock_says_where_packages_are_fetched_from() -> None:
    for lock in LOCKS.glob("*.txt"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text, lock.name
        assert not re.search(r"^--", text, re.MULTILINE), lock.name
