"""Before anything is fitted: which features know the outcome already.

| room | what it does |
|---|---|
| `leakage` | the audit and its codes LK01 to LK06 |
| `leakage_signs` | what each code looks for in one feature |
| `feature_power` | how far one feature alone separates good leads from others |
| `claims` | what the columns that were left out would have claimed |
"""
