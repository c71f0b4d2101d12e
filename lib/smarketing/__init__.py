"""One pipeline, one set of definitions, and evidence that sales and marketing both accept.

Five floors, imports go downward only:

- ``run``: the command line, plans (what each notebook accepts), the runner, the ledger of recorded figures.
- ``report``: words, charts, blocks and the exporter; it computes nothing.
- ``measures``: what is counted: ibis tables in, frozen results out.
- ``estimates``: rates, means, survival; numbers only.
- ``company``: canonical tables, inputs, definitions, the rule language, the demo company.
"""

__version__ = "0.1.0"
