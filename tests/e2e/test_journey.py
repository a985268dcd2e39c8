import json
import subprocess

import pytest

WHO = ("who", "whom", "what")


def run(lienthong: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([lienthong, *arguments], capture_output=True, text=True, check=False, timeout=50)


def test_the_demo_ends_well_and_tells_every_step_as_json(lienthong: str) -> None:
    done = run(lienthong, "demo", "--json")
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [step["number"] for step in steps] == [1, 2, 3, 4, 5, 6, 7]
    assert all(step["as_expected"] for step in steps)
    prefilled = [happening for happening in steps[2]["happenings"] if happening["released"]]
    assert {"identity.basic", "residence", "household"} == {name for h in prefilled for name in h["released"]}
    assert "health.blood_group" in prefilled[0]["withheld"]
    assert set(prefilled[0]) == {*WHO, "outcome", "expected", "released", "withheld", "log_index", "note"}
    refusals = {happening["outcome"] for happening in steps[4]["happenings"]} - {"OK"}
    assert refusals == {
        "CONSENT_MISSING",
        "CONSENT_REVOKED",
        "ACCOUNT_LEVEL_TOO_LOW",
        "TOKEN_NOT_YOURS",
        "ACCESS_RIGHT_MISSING",
        "CONSENT_FOR_OTHER_PURPOSE",
    }
    assert all(h["log_index"] is not None for h in steps[4]["happenings"] if h["outcome"] != "OK")


def test_the_demo_tells_in_one_form_only(lienthong: str) -> None:
    done = run(lienthong, "demo", "--plain", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "name one of --plain and --json" in done.stderr


@pytest.mark.parametrize("arguments", [("--plain",), ()], ids=["plain", "in a pipe"])
def test_the_demo_writes_plain_lines_where_nobody_looks(lienthong: str, arguments: tuple[str, ...]) -> None:
    done = run(lienthong, "demo", *arguments)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "step 7: The log proves itself" in done.stdout
    assert "FAIL" not in done.stdout
