"""The page about the personas: `python -m lienthong_seeds.personas_page > docs/personas.md`."""

import sys

from lienthong_seeds.personas import PERSONAS, Persona

_INTRODUCTION = """\
# Personas

SIMULATION: nobody here is real. The prefix 099 of the personal numbers was never any province's.

Every population holds these citizens, with the same numbers and names whatever its seed and size, and their families.
Each is made for a case. Every account has the passcode `135790`.

```python
from lienthong_seeds.personas import persona

persona("nguyen-thi-mai").personal_number  # "099190000001"
```

| Key | Name | Personal number | Born | Household | Account | Made for |
|---|---|---|---|---|---|---|
"""
_CLOSING = "\nThis page is generated from `lienthong_seeds.personas`; change it there.\n"


def page() -> str:
    """Return the page, Markdown."""
    return _INTRODUCTION + "".join(map(_line, PERSONAS)) + _CLOSING


def _line(persona: Persona) -> str:
    number = f"`{persona.personal_number}`"
    if persona.former_number:
        number += f", before `{persona.former_number}`"
    account = "none" if persona.account_level is None else f"level {persona.account_level}, {persona.account_state}"
    household = f"`{persona.household_number}`" if persona.household_number else "none"
    cells = (
        f"`{persona.key}`",
        persona.full_name,
        number,
        persona.birth_date,
        household,
        account,
        f"{persona.case}<br>*{persona.case_vi}*",
    )
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
