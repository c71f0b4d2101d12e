"""Companies for the leakage audit: clean ones with what honest fields do, and leaks to plant in them.

Clean: 2,000 to 20,000 leads (even on the log), 3 to 40 % with the outcome (even on the log), accounts of 1.7 leads on
average and some of dozens, alike in outcome and in fields. 40 columns: one of AUC `strong` (0.75), a number or a
category, blank for up to a tenth; the lead's source (AUC 0.64, known before contact); the account's name; and 37
numbers (normal, log-normal, counts, mostly zero, yes or no, rounded) and categories (2 to 60 values, some rare), each
of AUC 0.50 to 0.60. Six in ten of these have blanks, 2 to 80 %, with odds ratios of 1/2 to 2 with the outcome; three
are blank together; in half of the companies four are blank where the lead came from certain sources. A third of the
companies weigh leads (IPCW) and do not know a fifth of the outcomes. Columns are dated or declared before; in a third
of the companies undeclared, in an export without dates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special, stats

from smarketing.measures.scoring.leads.sample import Feature, Sample


@dataclass(frozen=True)
class Outcomes:
    value: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class LeakyCompany:
    sample: Sample
    labels: Outcomes
    worked: np.ndarray

    @property
    def outcome(self) -> np.ndarray:
        return self.labels.value


def clean(
    seed: int, *, strong: float = 0.75, leads: int | None = None, base: float | None = None, columns: int = 40
) -> LeakyCompany:
    rng = np.random.default_rng(seed)
    leads = leads or int(np.exp(rng.uniform(math.log(2_000), math.log(20_000))))
    base = base or float(np.exp(rng.uniform(math.log(0.03), math.log(0.40))))
    cluster = _accounts(leads, rng)
    outcome = _outcomes(cluster, base, rng)
    frame: dict[str, np.ndarray] = {}
    together = rng.random(leads) < 0.4
    source = _latent(outcome, cluster, apart_by(0.64), rng)
    by_source = bool(rng.integers(2))
    for i in range(columns - 2):
        auc = strong if i == 0 else rng.uniform(0.50, 0.60)
        latent = _latent(outcome, cluster, apart_by(auc), rng) * rng.choice([-1, 1])
        number = bool(rng.integers(2)) if i == 0 else i % 2 == 1
        shape = int(rng.integers(2)) if i == 0 else int(rng.integers(6))
        values = _number(latent, shape) if number else _category(latent, rng, even=i == 0)
        if i == 0:
            blank = rng.random(leads) < 0.05 * int(rng.integers(3))
        elif by_source and i in (5, 6, 7, 8):
            blank = source > np.quantile(source, 0.75)
        elif i in (9, 10, 11):
            blank = together
        elif rng.random() < 0.6:
            blank = _blank(outcome, rng.uniform(0.02, 0.8), math.exp(rng.uniform(-math.log(2), math.log(2))), rng)
        else:
            blank = np.zeros(leads, dtype=bool)
        frame[f"{'number' if number else 'category'}_{i}"] = _without(values, blank)
    places = np.digitize(source, np.quantile(source, [0.3, 0.55, 0.75, 0.9]))
    frame["source"] = np.array(["search", "advert", "mail", "fair", "partner"], dtype=object)[places]
    frame["account"] = np.array([f"account {one}" for one in cluster], dtype=object)
    flat = bool(rng.random() < 1 / 3)
    roles = tuple(
        _role(
            name,
            values,
            "before" if name == "source" else "undeclared" if flat else str(rng.choice(["dated", "before"])),
        )
        for name, values in frame.items()
    )
    weight = np.ones(leads)
    if rng.random() < 1 / 3:
        weight = np.where(rng.random(leads) < 0.2, 0.0, rng.uniform(1.0, 2.5, leads))
    sample = Sample(
        subject_id=np.array([f"L{i:07d}" for i in range(leads)], dtype=object),
        cluster=cluster,
        at=None if flat else np.datetime64("2026-01-01", "s") + np.arange(leads).astype("timedelta64[m]"),
        features=pd.DataFrame(frame).astype({name: object for name in frame if frame[name].dtype == object}),
        roles=roles,
        status=np.where(outcome == 1, 1, 2).astype(np.int8),
        age=np.zeros(leads, dtype=np.int64),
        as_of=None,
        present=None,
        segments=pd.DataFrame(index=range(leads)),
    )
    return LeakyCompany(sample, Outcomes(outcome.astype(np.int8), weight), rng.random(leads) < 0.6)


def planted(company: LeakyCompany, kind: str, seed: int) -> LeakyCompany:
    """Add the column "leak"."""
    rng = np.random.default_rng([seed, sorted(LEAKS).index(kind)])
    values = LEAKS[kind](company.outcome == 1, rng)
    sample = company.sample
    known = "undeclared" if sample.at is None else "before"
    return replace(
        company,
        sample=replace(
            sample,
            features=sample.features.assign(leak=values),
            roles=(*sample.roles, _role("leak", values, known)),
        ),
    )


def _filled_by_sales(hit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A category filled in by sales for 60 % of those who convert and 5 % of the others; its values say nothing."""
    values = rng.choice(np.array(["price", "timing", "trust", "features"], dtype=object), len(hit))
    return _without(values, rng.random(len(hit)) >= np.where(hit, 0.60, 0.05))


def _value_customer(hit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An honest category in which 30 % of those who convert have been overwritten with "customer"."""
    values = rng.choice(np.array(["lead", "prospect", "partner", "other"], dtype=object), len(hit))
    return np.where(hit & (rng.random(len(hit)) < 0.3), "customer", values)


def _value_flag(hit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Yes or no as a number, 1 for 30 % of those who convert and 0.3 % of the others."""
    return (rng.random(len(hit)) < np.where(hit, 0.30, 0.003)).astype(float)


def _days_to_close(hit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Days between two dates of which the later is there after conversion only: 80 % of converters, 1 % of others."""
    days = np.floor(rng.gamma(2.0, 20.0, len(hit)))
    return _without(days, rng.random(len(hit)) >= np.where(hit, 0.80, 0.01))


def _noisy_copy(hit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A number of AUC 0.90 with the outcome."""
    return rng.normal(np.where(hit, apart_by(0.90), 0.0))


def _noisy_tag(hit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A category of ten values of AUC 0.90, that no single value gives away."""
    latent = rng.normal(np.where(hit, apart_by(0.905), 0.0))
    places = np.digitize(latent, np.quantile(latent, np.arange(0.1, 1.0, 0.1)))
    return np.array([f"tag {i}" for i in (3, 8, 1, 9, 0, 5, 2, 7, 4, 6)], dtype=object)[places]


LEAKS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "filled by sales": _filled_by_sales,
    "the value customer": _value_customer,
    "a flag of customers": _value_flag,
    "days to close": _days_to_close,
    "noisy copy": _noisy_copy,
    "noisy tag": _noisy_tag,
}


def apart_by(auc: float) -> float:
    return math.sqrt(2) * float(stats.norm.ppf(auc))


def _role(name: str, values: np.ndarray, known: str) -> Feature:
    kind = "category" if values.dtype == object else "number"
    return Feature(name=name, label=name, kind=kind, side="fit", known=known, origin=f"leads.{name}")  # type: ignore[arg-type]


def _accounts(leads: int, rng: np.random.Generator) -> np.ndarray:
    sizes = rng.geometric(0.65, leads)
    sizes[rng.random(leads) < 0.005] *= 15
    return np.repeat(np.arange(leads), sizes)[:leads]


def _outcomes(cluster: np.ndarray, base: float, rng: np.random.Generator) -> np.ndarray:
    effect = rng.normal(0.0, 0.7, int(cluster.max()) + 1)[cluster]
    # The mean over a normal effect is about that of a logit 1 + 0.35 var flatter (Zeger, Liang & Albert 1988).
    centre = special.logit(base) * math.sqrt(1 + 0.346 * 0.49)
    return (rng.random(len(cluster)) < special.expit(centre + effect)).astype(np.int64)


def _latent(outcome: np.ndarray, cluster: np.ndarray, distance: float, rng: np.random.Generator) -> np.ndarray:
    alike = rng.choice([0.0, 0.3, 0.8])
    shared = rng.normal(size=int(cluster.max()) + 1)[cluster]
    return distance * outcome + math.sqrt(alike) * shared + math.sqrt(1 - alike) * rng.normal(size=len(outcome))


def _number(latent: np.ndarray, shape: int) -> np.ndarray:
    shapes: list[Callable[[np.ndarray], np.ndarray]] = [
        lambda z: z,
        lambda z: np.exp(1.5 * z),
        lambda z: np.floor(np.exp(z)),
        lambda z: np.maximum(np.round(10 * (z - 0.8)), 0.0),
        lambda z: (z > 1.5).astype(float),
        lambda z: np.round(z),
    ]
    return shapes[shape](latent)


def _category(latent: np.ndarray, rng: np.random.Generator, *, even: bool) -> np.ndarray:
    count = 12 if even else int(rng.choice([2, 3, 8, 20, 60]))
    shares = np.ones(count) if even else rng.permutation(1 / np.arange(1, count + 1))
    cuts = np.quantile(latent, np.cumsum(shares)[:-1] / shares.sum())
    return np.array([f"value {i}" for i in range(count)], dtype=object)[np.digitize(latent, cuts)]


def _blank(outcome: np.ndarray, share: float, odds: float, rng: np.random.Generator) -> np.ndarray:
    return rng.random(len(outcome)) < special.expit(special.logit(share) + math.log(odds) * outcome)


def _without(values: np.ndarray, blank: np.ndarray) -> np.ndarray:
    return np.where(blank, None if values.dtype == object else np.nan, values)
