"""What stands around the report: title block, provenance, and the record that the runner keeps."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from smarketing.measures.results import Finding, KeyFigure
from smarketing.report.blocks.block import Block
from smarketing.report.blocks.brief import line_of


def title_block(pairs: Sequence[tuple[str, str]], *, run_id: str = "") -> Block:
    """Return what stands under the title: data as of, for whom, scope, parameters.

    Parameters
    ----------
    pairs
        Label and value. "Data as of" also becomes part of the browser's title. The exporter adds how many data checks
        passed. Several title blocks add up, in order.
    run_id
        Shown last, linked to the provenance.
    """
    shown = Markup("").join(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(label, value) for label, value in pairs)
    payload = {"pairs": [[label, value] for label, value in pairs], "run_id": run_id}
    text = "\n".join(f"{label}: {value}" for label, value in pairs)
    page = Markup('<dl class="meta">{}</dl>').format(shown)
    return Block(slot="masthead", kind="title block", id="", html=page, text=text, payload=payload)


def provenance(pairs: Sequence[tuple[str, str]]) -> Block:
    """Return the footer's facts: code version, hashes and row counts of inputs, packages, parameters (no secrets)."""
    shown = Markup("").join(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(label, value) for label, value in pairs)
    page = Markup('<dl class="prov">{}</dl>').format(shown)
    payload = {"pairs": [[label, value] for label, value in pairs]}
    return Block(slot="provenance", kind="provenance", id="", html=page, payload=payload)


def record(figures: Sequence[KeyFigure], findings: Sequence[Finding] = (), summary: str = "") -> Block:
    """Return what the runner writes to the ledger. Not on the page; a draft list in JupyterLab.

    Parameters
    ----------
    figures, findings
        Everything later reports may compare with or compose, whether or not the page shows it.
    summary
        The report's answer in one line, for the index of all reports.
    """
    lines = [line_of(figure) for figure in figures]
    shown = Markup("").join(Markup("<li>{}</li>").format(line) for line in lines)
    page = Markup(
        '<div class="note"><p><strong>Draft record.</strong> {}</p><ul>{}</ul><p class="src">Written to the ledger by '
        "the runner only.</p></div>"
    ).format(summary, shown)
    payload = {
        "figures": [figure.to_dict() for figure in figures],
        "findings": [finding.to_dict() for finding in findings],
        "summary": summary,
    }
    return Block(slot="record", kind="record", id="", html=page, text=summary, payload=payload)
