"""Small shapes that say a status beside its word, drawn so that no reader's font can lack them."""

from __future__ import annotations

from markupsafe import Markup

_PATHS = {
    "ahead": '<path d="M6 1 11.5 11H.5z"/>',
    "behind": '<path d="M6 11 .5 1h11z"/>',
    "on target": '<path d="M6 0 12 6 6 12 0 6z"/>',
    "too close to call": '<circle cx="6" cy="6" r="5.2"/>',
    "no target": '<path d="M0 5h12v2H0z"/>',
    "withheld": '<path d="M6 0a6 6 0 1 0 0 12A6 6 0 1 0 6 0zm0 2a4 4 0 1 1 0 8 4 4 0 1 1 0-8z"/>',
    "passed": '<path d="m.8 6.6 1.6-1.7 2.3 2.3L9.6 2l1.6 1.6-6.5 6.8z"/>',
    "warning": '<path d="M6 1 11.5 11H.5z"/>',
    "failed": '<path d="m1 2.5 1.5-1.5L6 4.5 9.5 1 11 2.5 7.5 6 11 9.5 9.5 11 6 7.5 2.5 11 1 9.5 4.5 6z"/>',
    "not applicable": '<path d="M0 5h12v2H0z"/>',
}


def shape(status: str) -> Markup:
    """Return the shape of a key figure's status or a check's outcome, hidden from screen readers."""
    return Markup(f'<svg class="shape" viewBox="0 0 12 12" aria-hidden="true" focusable="false">{_PATHS[status]}</svg>')
