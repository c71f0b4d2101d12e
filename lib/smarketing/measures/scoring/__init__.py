"""Lead scores: from a company's tables to a score that both teams can trust, explain and deploy.

| rooms | what they do |
|---|---|
| `leads` | leads at their scoring moment: features, labels, the split in time |
| `audit` | before anything is fitted: which features know the outcome already |
| `models` | a scorecard and boosting: learned, chosen, explained, saved |
| `study` | all of it in one: audit, split, fit, choose, judge once; `study_card` its model card |
| `worth` | validity, thresholds, bands and money |
| `giving` | scored leads, what came of them, whether the model has aged |
| `contact` | who is worth contacting, beside who is likely |
"""

from smarketing.measures.scoring.audit.claims import claims
from smarketing.measures.scoring.contact.uplift import uplift
from smarketing.measures.scoring.giving.deploy import give_out, give_out_again
from smarketing.measures.scoring.giving.given import look_back
from smarketing.measures.scoring.giving.monitor import check_fit, watch
from smarketing.measures.scoring.leads.features import draw, read
from smarketing.measures.scoring.models.saving import load_model
from smarketing.measures.scoring.study import study
from smarketing.measures.scoring.worth.study_worth import gains_curves, over_present, promises, thresholds
from smarketing.measures.scoring.worth.value import stage_value
from smarketing.measures.scoring.worth.views import grid, importance, stability

__all__ = [
    "check_fit",
    "claims",
    "draw",
    "gains_curves",
    "give_out",
    "give_out_again",
    "grid",
    "importance",
    "load_model",
    "look_back",
    "over_present",
    "promises",
    "read",
    "stability",
    "stage_value",
    "study",
    "thresholds",
    "uplift",
    "watch",
]
