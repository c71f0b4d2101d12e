"""What a score is worth on leads that it has not seen, with intervals by account.

| room | what it does |
|---|---|
| `validity` | AUC, Brier skill, lift and calibration |
| `threshold` | thresholds and bands: who is passed, who is worked, what promises came to |
| `value` | what a lead that reached the stage is worth from there on |
| `study_worth` | all of these asked of a study |
| `views` | the grid of fit and engagement, what weighs most, whether it holds |
"""
