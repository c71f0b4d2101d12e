"""What is counted: ibis tables in, frozen results out.

`journeys` turns leads and deals into observation times; `incidence` estimates what becomes of them; `headline`,
`funnel`, `deals` and `losses` answer the pipeline review's questions; `readiness` asks whether the data can be
trusted; `results` are the nouns they all hand on. Measures do not import each other's questions: they share
`journeys`, `incidence`, `periods`, `tallies`, `panels`, `clear`, `exact`, `small_cells`, `scope`, `view` and `results`.
`compare` sets two results side by side.
"""
