"""Experiments: from a protocol and who was dealt to which arm to what follows.

| room | what it does |
|---|---|
| `units` | who was dealt to which arm |
| `outcomes` | what became of each unit within the horizon, and what was known before |
| `covariates` | what was known before, as numbers |
| `sums` | sums by arm, made in the engine |
| `sound` | whether the experiment was carried out as agreed |
| `comparing` | a metric of an arm against the control, dealt by lead or by account |
| `segments` | the same in the groups that were declared |
| `verdict` | ship, stop, keep running or inconclusive, by the protocol's rule |
| `readout` | all of it in one |
"""

from smarketing.measures.experiments.readout import readout

__all__ = ["readout"]
