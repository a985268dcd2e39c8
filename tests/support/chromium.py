"""A browser that nobody here wrote: the system's Chromium, without a window."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from lienthong_core.certificates import TlsIdentity

_LONGEST_MS = 20_000
# As root it runs without its sandbox; it is told to look for nothing outside of this machine.
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_WIDTH_WITH_LONG_WORDS = """() => {
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT)
  const kept = []
  while (walker.nextNode()) if (walker.currentNode.data.trim()) kept.push([walker.currentNode, walker.currentNode.data])
  for (const [text] of kept) text.data = "N".repeat(120)
  const width = document.documentElement.scrollWidth
  for (const [text, data] of kept) text.data = data
  return width
}"""


@contextmanager
def page_at(origin: str, folder: Path, tls: TlsIdentity | None) -> Generator[Page]:
    """Open a page of a browser that shows `tls` to `origin`, or no certificate; `folder` is its own."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("left out: no Chromium is installed")
    certificates = []
    if tls is not None:
        tls.save(folder)
        pair = {"certPath": str(folder / "tls.crt"), "keyPath": str(folder / "tls.key")}
        certificates = [{"origin": origin, **pair}]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_OPTIONS)
        # The sandbox's authority is not among those that a browser believes.
        context = browser.new_context(ignore_https_errors=True, client_certificates=certificates)  # type: ignore[arg-type]
        context.set_default_timeout(_LONGEST_MS)
        expect.set_options(timeout=_LONGEST_MS)
        yield context.new_page()
        browser.close()


def width_with_long_words(page: Page) -> int:
    """Return how many pixels wide a page is when each of its texts is one word of 120 letters."""
    return int(page.evaluate(_WIDTH_WITH_LONG_WORDS))
