"""What a study's score is worth: thresholds, promises and money, asked of the leads that the score was judged on."""

from __future__ import annotations

from smarketing.company.definitions import Evidence
from smarketing.measures.results import NotApplicable
from smarketing.measures.scoring.study import DRAWS, Study
from smarketing.measures.scoring.worth.threshold import Bands, CostCurve, bands, cost_curve, gain_at_capacity
from smarketing.measures.scoring.worth.validity import Gains, gains
from smarketing.measures.scoring.worth.value import StageValue


def thresholds(study: Study, worth: StageValue, *, draws: int = DRAWS) -> CostCurve | NotApplicable:
    """Return what thresholds are worth on the judged leads."""
    reason = _no_use(study) or ("" if worth.value is not None else worth.reason)
    if reason:
        return NotApplicable(reason)
    assert study.leads is not None and worth.value is not None
    return cost_curve(
        study.leads,
        study.probability,
        agreed=study.scoring.threshold,
        value_of_stage=worth.value,
        cost=study.scoring.cost_of_working,
        draws=draws,
    )


def promises(study: Study, evidence: Evidence) -> Bands | NotApplicable:
    """Return whether the bands keep what they promise on the judged leads."""
    reason = _no_use(study)
    if reason:
        return NotApplicable(reason)
    assert study.leads is not None
    return bands(study.leads, study.probability, study.scoring.bands, evidence=evidence)


def over_present(study: Study, worth: StageValue, *, draws: int = DRAWS) -> tuple[float, float, float] | None:
    """Return the money that working by the score brings over the present rules, with its 95 % interval.

    None where there are no present rules, no value, or nothing was judged.
    """
    present = study.rivals.get("present")
    if present is None or worth.value is None or _no_use(study):
        return None
    assert study.leads is not None
    return gain_at_capacity(
        study.leads,
        study.probability,
        present,
        value_of_stage=worth.value,
        cost=study.scoring.cost_of_working,
        draws=draws,
    )


def gains_curves(study: Study, *, draws: int = DRAWS) -> tuple[Gains, ...]:
    """Return the gains curves of the score and of what could be used instead; none where nothing was judged."""
    if _nothing_judged(study):
        return ()
    assert study.leads is not None
    scores = {"score": study.probability, **study.rivals}
    return tuple(gains(study.leads, score, name=name, draws=draws) for name, score in scores.items())


def _no_use(study: Study) -> str:
    """Return why the score is of no use, so that nothing is worked out about using it; empty where it may be used."""
    return f"there is no usable score: {study.unusable}" if study.unusable else ""


def _nothing_judged(study: Study) -> str:
    if study.leads is None or study.validity is None:
        return study.unusable or "nothing was judged"
    return study.validity.reason
