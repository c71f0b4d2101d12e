"""How tests browse: the system's Chromium without a network, pages read once they can be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SEEN = "() => Promise.all(document.getAnimations().map(animation => animation.finished)).then(() => true)"


def show(page: Any, path: Path) -> None:
    """Go to a file, and wait until it is seen: a report hides its text while its fonts are decoded."""
    page.goto(path.as_uri())
    page.evaluate(SEEN)
