"""A score in use: given out, looked back on, watched.

| room | what it does |
|---|---|
| `deploy` | scored leads, and the model as SQL |
| `given` | what came of the leads that a score was given out for |
| `monitor` | whether a saved model has aged, and whether leads still fit it |
"""
