"""Leads as they were when they were to be scored: what is known of each, and what became of it.

| room | what it does |
|---|---|
| `sample` | the nouns: `Feature`, `Sample` (a row a lead at its scoring moment) |
| `moments` | which leads are scored, at which moment, and what became of them since |
| `fit` | columns of leads and accounts as features: who they are |
| `engagement` | contacts dated before the moment as features: what they did, newest first |
| `present` | what the company did by itself: its present score, and whom sales worked |
| `features` | fit and engagement together: `draw` a modelling sample, or a `feature_table` in the engine |
| `labels` | who reached the stage within the horizon, as known on a day, with weights for who is too young |
| `split` | earlier leads to learn from, later and matured ones to be tested on |
"""
