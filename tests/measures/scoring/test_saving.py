"""A saved model predicts the same to the last bit, has the same bytes twice, and runs no code when loaded."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from scored_leads import feature, fitted, leads
from smarketing.measures.scoring.models.model_card import FeatureSummary, ModelCard, summarise
from smarketing.measures.scoring.models.saving import CARD, MODEL, PAGE, UntrustedModel, _plain, load_model, save_model


def card() -> ModelCard:
    data = leads()
    return ModelCard(
        name="Lead score | demo", family="scorecard", purpose="Chance to become an SQL within 60 days",
        audience="Marketing operations and the SDR team", trained_on="the demo company's leads",
        scope="the whole company",
        trained_from="2025-01-01", trained_to="2025-12-31", known_at="2026-03-01", rows=4_000, accounts=1_700,
        with_outcome=900, label="reaches SQL", horizon_days=60, moment_days=0,
        validity=(("AUC, later leads", "0.71 [0.69, 0.73]"), ("Calibration slope", "1.02")),
        limits=("Not for leads of partners.", "Retrain after a year."), definitions_version="2026-01",
        owner="Marketing operations", features=summarise(data.features, data.roles, data.weight),
    )  # fmt: skip


@pytest.mark.parametrize("family", ["scorecard", "boosting"])
def test_round_trip(tmp_path: Path, family: str) -> None:
    model, features = fitted(family), leads().features
    save_model(model, card(), tmp_path / "new" / "folder")
    saved = load_model(tmp_path / "new" / "folder")
    assert type(saved.model) is type(model)
    assert (saved.model.log_odds(features) == model.log_odds(features)).all()
    assert (saved.model.probability(features) == model.probability(features)).all()
    assert saved.model.contributions(features).equals(model.contributions(features))
    assert (saved.model.out_of_fold == model.out_of_fold).all()
    assert saved.model.base == model.base and saved.model.roles == model.roles
    assert saved.card == card()


@pytest.mark.parametrize("family", ["scorecard", "boosting"])
def test_the_same_model_gives_the_same_bytes(tmp_path: Path, family: str) -> None:
    save_model(fitted(family), card(), tmp_path / "a")
    copy = load_model(tmp_path / "a")
    save_model(copy.model, copy.card, tmp_path / "b")
    for name in (MODEL, CARD, PAGE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


class Payload:
    """What a planted file would build."""

    def __init__(self) -> None:
        self.command = "touch planted"


@pytest.mark.parametrize(
    ("planted", "named"),
    [
        (Payload(), "test_saving.Payload"),
        (LogisticRegression(), "sklearn.linear_model._logistic.LogisticRegression"),
        (np.sum, "numpy.sum"),
    ],
)
def test_a_planted_type_is_refused_before_anything_is_built(tmp_path: Path, planted: object, named: str) -> None:
    save_model(fitted("scorecard"), card(), tmp_path)
    plain = _plain(fitted("scorecard")) | {"start": planted}
    (tmp_path / MODEL).write_bytes(skops.io.dumps(plain))
    with pytest.raises(UntrustedModel, match=r"^model\.skops holds ") as caught:
        load_model(tmp_path)
    assert named in str(caught.value)
    assert str(caught.value).endswith(
        "; only numbers, texts and arrays are loaded. Do not use this file: ask where it comes from, and train the "
        "model again."
    )


def test_another_model_than_the_cards_is_refused(tmp_path: Path) -> None:
    save_model(fitted("scorecard"), card(), tmp_path)
    (tmp_path / MODEL).write_bytes(skops.io.dumps(_plain(fitted("boosting"))))
    message = "model.skops is not the model that card.json was written for. Save both together again."
    with pytest.raises(UntrustedModel, match=re.escape(message)):
        load_model(tmp_path)
    (tmp_path / MODEL).write_bytes(b"no archive")
    message = "model.skops is not a model file: File is not a zip file. Train the model again."
    with pytest.raises(UntrustedModel, match=re.escape(message)):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"part": "Surprise"}, "model.skops describes 'Surprise'; known are ['Bins', 'Boosting', 'Factor', 'Feature', "
         "'Forest', 'Levels', 'LogisticMap', 'Scorecard']. Train the model again."),
        ({"part": "LogisticMap", "slope": 1.0}, "model.skops describes a LogisticMap with ['slope'] and not "
         "['intercept', 'slope']: it was written by another version of the suite. Train the model again."),
        ({"part": "LogisticMap", "slope": 1.0, "intercept": 0.0},
         "model.skops holds a LogisticMap and no model. Train the model again."),
    ],
)  # fmt: skip
def test_what_is_no_model_is_refused(tmp_path: Path, plain: dict[str, object], message: str) -> None:
    save_model(fitted("scorecard"), card(), tmp_path)
    content = skops.io.dumps(plain)
    (tmp_path / MODEL).write_bytes(content)
    about = json.loads((tmp_path / CARD).read_text()) | {"model_sha256": hashlib.sha256(content).hexdigest()}
    (tmp_path / CARD).write_text(json.dumps(about))
    with pytest.raises(UntrustedModel, match=re.escape(message)):
        load_model(tmp_path)


def test_the_card_can_be_read_by_people_and_programs() -> None:
    text = card().to_markdown()
    for part in (
        "# Lead score \\| demo", "| For whom | Marketing operations and the SDR team |",
        "| Leads from | 2025-01-01 to 2025-12-31 |", "| Horizon | 60 days after the scoring moment |",
        "| Calibration slope | 1.02 |", "- Not for leads of partners.", "| company size | employees | number |",
    ):  # fmt: skip
        assert part in text
    undated = replace(card(), trained_from=None, trained_to=None, known_at=None, horizon_days=None, moment_days=None)
    assert "| Leads from | no days in the data |" in undated.to_markdown()
    assert ModelCard.from_json(undated.to_json()) == undated
    missing = {key: value for key, value in json.loads(card().to_json()).items() if key != "owner"}
    message = (
        r"^the model card has the fields \[.*\] and not \[.*'owner'.*\]\. It was written by another version of the "
    )
    with pytest.raises(ValueError, match=message + r"suite: train the model again\.$"):
        ModelCard.from_json(json.dumps(missing))


def test_summaries_hold_what_drift_needs() -> None:
    features = pd.DataFrame(
        {
            "x": [np.nan, *range(99)],
            "c": pd.Series(
                ["a"] * 50 + ["b"] * 30 + [f"rare {i}" for i in range(10)] + [None] * 8 + [""] * 2, dtype=object
            ),
        }
    )
    roles = (feature("x", "number"), feature("c", "category"))
    number, text = summarise(features, roles)
    assert isinstance(number, FeatureSummary)
    assert number.missing == 0.01 and number.dtype == "float64" and number.values == ()
    assert len(number.shares) == len(number.edges) + 1 == 10
    assert text.missing == pytest.approx(0.1) and text.edges == ()
    assert text.values[:2] == ("a", "b") and text.shares[:2] == (0.5, 0.3)
    for one in (number, text):
        assert one.missing + one.other + sum(one.shares) == pytest.approx(1)
    many = pd.DataFrame({"x": [0.0] * 500, "c": pd.Series([f"v{i:03}" for i in range(500)], dtype=object)})
    _, text = summarise(many, roles)
    assert len(text.values) == 50 and text.other == pytest.approx(0.9) and text.missing == 0
    weight = np.arange(100) % 2
    assert summarise(features, roles, weight)[0].missing == 0
