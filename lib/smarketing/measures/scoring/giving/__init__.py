"""A score in use: given out, looked back on, watched.

| room | what it does |
|---|---|
| `deploy` | scored leads, and the model as SQL |
| `given` | what came of the leads that a score was given out for |
| `level` | whether probabilities are off on average, by enough to act on |
| `monitor` | whether a saved model has aged, and whether leads still fit it |
"""
