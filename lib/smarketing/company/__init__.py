"""The ground floor: a company's data and words.

`tables` says what a row means; `inputs` opens files or a warehouse as those tables; `definitions` holds what both
teams agreed, `drafting` a first guess at it; `expressions` is the one safe rule language; `demo` simulates a company
whose truth is known.
"""
