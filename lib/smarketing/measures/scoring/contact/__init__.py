"""Who is worth contacting, which is not who is likely to get there.

| room | what it does |
|---|---|
| `arms` | which leads were in which arm of an experiment |
| `uplift` | the two side by side: who is moved by contact, who is likely |
| `uplift_scores`, `uplift_judging` | learns who is moved; compares orders of contact |
"""
