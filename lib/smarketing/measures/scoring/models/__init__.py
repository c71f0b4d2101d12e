"""Two models of a lead: points that a person can add up, and many small trees.

| room | what it does |
|---|---|
| `enough` | before fitting: how many parameters the leads can carry |
| `encoding` | how features become bins and levels, in Python and in the engine alike |
| `folds` | folds that keep accounts together, and what a model has to be given to learn at all |
| `threads` | one thread to learn with: several wait for each other |
| `scorecard` | points that a person can add up; `points` learns them, by `ridge` |
| `boosting` | many small trees; `growing` learns them, `forest` keeps them, `shapley` explains them exactly |
| `choice` | the simpler of the two, unless the other is better by more than its uncertainty |
| `reasons` | per lead, what spoke for it and what against it |
| `model_card`, `saving` | what a model is and is for; both as files that run no code when loaded |
"""
