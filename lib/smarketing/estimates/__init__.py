"""The estimates floor: numbers in, numbers out. No tables, no files, nothing of the company.

Functions about companies take sufficient statistics (counts, sums, cross-products, life tables) that an engine has
added up; those about scores take rows: a score, an outcome and a weight each. Results are frozen, with a value and the
limits of its interval. Thin evidence is a result, malformed input raises.
A lookup that was not observed is None; the value of an empty sample is NaN with an interval that excludes nothing.

- `rates`: Wilson interval of a rate of independent units; the difference of any two estimates.
- `means`: mean, difference and ratio of means from sums.
- `clusters`: shares and ratios whose units share accounts.
- `life_tables`: sums by age, with delayed entry.
- `survival`: cumulative incidence of competing exits from a life table, and its influence function by age.
- `variation`: natural limits of a weekly series, and the interval of a sum of weeks.
- `multiplicity`: several comparisons at once: simultaneous and selected intervals, adjusted p-values.

About experiments:

- `moments`: sums and cross-products of named columns over the units of one arm.
- `effects`: difference and lift of two arms, and whether there is enough evidence for an interval.
- `adjustment`: the same, adjusted for what was known before assignment.
- `dealt_accounts`, `account_effects`, `randomisation`: what was dealt by account, its effect, the p-value that decides.
- `sample_ratio`: did the arms get and keep their shares?
- `anytime`: differences that may be read on any day.
- `spending`: boundaries of planned looks.

About scores:

- `scored`: rows with a score, an outcome and a weight, checked; bins of about equal weight.
- `sample_size`: rows enough to fit so many parameters?
- `censoring`: weights that let known outcomes stand in for those too young to have one.
- `ranking`: AUC, average precision, and what a capacity captures.
- `calibration`: Brier skill, calibration line and bins, and the logistic map that mends probabilities.
- `logistic`: the regression on one number under it.
- `bootstrap`: intervals by drawing whole accounts.
- `drift`: has a distribution over bins moved?
- `uplift`: who is worth contacting, where an experiment exists.
"""
