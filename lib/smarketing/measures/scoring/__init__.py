"""Lead scores: from a company's tables to a score that both teams can trust, explain and deploy.

| room | what it does |
|---|---|
| `sample` | the nouns: `Feature`, `Sample` (a row a lead at its scoring moment) |
| `moments` | which leads are scored, at which moment, and what became of them since |
| `fit` | columns of leads and accounts as features: who they are |
| `engagement` | contacts dated before the moment as features: what they did, newest first |
| `features` | the two together: `draw` a modelling sample, or a `feature_table` in the engine |
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
"""
