"""Lead scoring: which leads are likely to reach the stage, why the model thinks so, and what that is worth.

`sample` holds the nouns (a lead at its scoring moment); `encoding` says how its features become what a model takes, in
Python and in the engine alike. Two families learn from it: `scorecard` (points that a person can add up) and
`boosting` (many small trees, kept as plain arrays in `forest`, explained by `shapley`). Both end in one logistic map
(`calibration`), are judged on folds that keep accounts together (`folds`), and `choice` takes the simpler one unless
the other is better by more than its uncertainty. `reasons` names what moved a lead's score; `saving` keeps a model and
its `card` in files that run no code when loaded.
"""
