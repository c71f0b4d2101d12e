"""Lead scores: from a company's tables to a score that both teams can trust, explain and deploy.

| room | what it does |
|---|---|
| `sample` | the nouns: `Feature`, `Sample` (a row a lead at its scoring moment) |
| `moments` | which leads are scored, at which moment, and what became of them since |
| `fit` | columns of leads and accounts as features: who they are |
| `engagement` | contacts dated before the moment as features: what they did, newest first |
| `present` | what the company did by itself: its present score, and whom sales worked |
| `features` | fit and engagement together: `draw` a modelling sample, or a `feature_table` in the engine |
| `labels` | who reached the stage within the horizon, as known on a day, with weights for who is too young |
| `leakage` | before anything is fitted: which features know the outcome already |
| `split` | earlier leads to learn from, later and matured ones to be tested on |
| `encoding` | how features become bins and levels, in Python and in the engine alike |
| `folds` | folds that keep accounts together, and what a model has to be given to learn at all |
| `scorecard` | points that a person can add up; `points` learns them, by `ridge` |
| `boosting` | many small trees; `growing` learns them, `forest` keeps them, `shapley` explains them exactly |
| `choice` | the simpler of the two, unless the other is better by more than its uncertainty |
| `reasons` | per lead, what spoke for it and what against it |
| `model_card`, `saving` | what a model is and is for; both as files that run no code when loaded |
| `enough` | before fitting: how many parameters the leads can carry |
| `study` | all of it in one: audit, split, fit, choose, judge once; `study_card` its model card |
| `claims` | what the columns that were left out would have claimed |
| `validity` | what a score is worth on leads it has not seen, with intervals by account |
| `threshold`, `value`, `worth` | thresholds, bands and money |
| `views` | the grid of fit and engagement, what weighs most, whether it holds |
| `deploy` | scored leads, and the model as SQL |
| `given` | what came of the leads that a score was given out for |
| `monitor` | whether a saved model has aged |
| `arms` | which leads were in which arm of an experiment |
| `uplift` | who is worth contacting, beside who is likely; `uplift_scores` learns, `uplift_judging` compares |
"""

from smarketing.measures.scoring.claims import claims
from smarketing.measures.scoring.deploy import give_out, give_out_again
from smarketing.measures.scoring.features import draw, read
from smarketing.measures.scoring.given import look_back
from smarketing.measures.scoring.monitor import check_fit, watch
from smarketing.measures.scoring.saving import load_model
from smarketing.measures.scoring.study import study
from smarketing.measures.scoring.uplift import uplift
from smarketing.measures.scoring.value import stage_value
from smarketing.measures.scoring.views import grid, importance, stability
from smarketing.measures.scoring.worth import gains_curves, over_present, promises, thresholds

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
