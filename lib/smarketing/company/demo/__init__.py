"""The demo company: a seeded simulation of any size whose truth is known.

`build_demo` writes it, `read_truth` says what is true of it, `is_built` whether it is there. From the ground up:
`world` (parameters and hazards), `signals` and `attributes` (what leads and accounts show), `accounts`, `leads`,
`touches`, `journeys`, `deals`, `activities`, `rules_score`, `catalogue` (what happens, table by table), `experiments`
(who was dealt to which arm, and who replies), `dirt` (what is wrong on purpose), `flows` and `incidence` (the truth,
from the hazards alone), `write` (the files), `chances` and `oracle` (the best that a lead score could do:
`true_probabilities`).
`write_salesforce` and `write_hubspot` turn a built company into the CSV files that those systems export.
"""

from smarketing.company.demo.experiments import TrueExperiment
from smarketing.company.demo.hubspot import write_hubspot
from smarketing.company.demo.incidence import HORIZONS, WINDOWS, TrueIncidence
from smarketing.company.demo.oracle import TrueProbabilities, true_probabilities, true_probabilities_of
from smarketing.company.demo.salesforce import write_salesforce
from smarketing.company.demo.truth import DemoTruth
from smarketing.company.demo.write import build_demo, is_built, read_truth

__all__ = [
    "HORIZONS",
    "WINDOWS",
    "DemoTruth",
    "TrueExperiment",
    "TrueIncidence",
    "TrueProbabilities",
    "build_demo",
    "is_built",
    "read_truth",
    "true_probabilities",
    "true_probabilities_of",
    "write_hubspot",
    "write_salesforce",
]
