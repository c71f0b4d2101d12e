"""The estimates floor: numbers in, numbers out. No tables, no files, nothing of the company.

Every function takes sufficient statistics (counts, sums, cross-products, life tables) that an engine has added up, and
returns a frozen result with a value and the limits of its interval. Thin evidence is a result, malformed input raises.
A lookup that was not observed is None; the value of an empty sample is NaN with an interval that excludes nothing.

- `rates`: Wilson interval of a rate of independent units; the difference of any two estimates.
- `means`: mean, difference and ratio of means from sums.
- `clusters`: shares and ratios whose units share accounts.
- `life_tables`: sums by age, with delayed entry.
- `survival`: cumulative incidence of competing exits from a life table, and its influence function by age.
- `variation`: natural limits of a weekly series, and the interval of a sum of weeks.
"""
