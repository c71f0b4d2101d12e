"""Lead scores: `leakage` asks, before anything is fitted, which features know the outcome already."""
