"""Plans: frozen, and what is not one of their names or types is refused with the remedy before anything runs."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from small_projects import project_at
from smarketing.measures.scope import Scope
from smarketing.run.plans import AlignmentReport, PipelineReview, PlanError, ScoreLeads, plan_of, project, read_plan
from smarketing.run.scores import expect_model

NAMES = "case, as_of, definitions, decisions, inputs, data, region, source, owner, segment, redact, targets, breakdown"


def refusal(values: dict[Any, Any], plan: type = PipelineReview) -> str:
    with pytest.raises(PlanError) as refused:
        plan.read(values, "Params file x.yml")
    return str(refused.value)


def test_a_plan_is_frozen() -> None:
    plan = PipelineReview()
    with pytest.raises(ValidationError, match="frozen"):
        plan.case = "other"  # type: ignore[misc]


def test_an_unknown_name_is_refused_with_the_nearest_right_one() -> None:
    assert refusal({"sorce": "Events", "asof": "2026-11-15"}) == (
        "Params file x.yml of 20_pipeline_review is wrong in 2 places:\n"
        "  sorce: there is no such name. Did you mean 'source'?\n"
        "  asof: there is no such name. Did you mean 'as_of'?"
    )


@pytest.mark.parametrize("name", ["x=1;import os", "__class__", "notebook", "model_config", "quarterly"])
def test_a_name_that_is_like_nothing_gets_the_list_and_is_never_code(name: str) -> None:
    assert refusal({name: 1}) == (
        "Params file x.yml of 20_pipeline_review is wrong in 1 place:\n"
        f"  {name}: there is no such name. Allowed are {NAMES}."
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"case": 5}, "case: Input should be a valid string; got 5."),
        ({"case": "../up"}, "case: String should match pattern '^[a-z0-9][a-z0-9_-]*$'; got '../up'."),
        ({"case": ""}, "case: String should match pattern '^[a-z0-9][a-z0-9_-]*$'; got ''."),
        # YAML reads 20261115 as a number, which would be taken for seconds since 1970.
        ({"as_of": 20261115}, "as_of: write a day as 2026-11-15; got 20261115."),
        ({"as_of": "15.11.2026"}, "as_of: write a day as 2026-11-15; got '15.11.2026'."),
        ({"as_of": "2026-02-30"}, "as_of: write a day as 2026-11-15; got '2026-02-30'."),
        ({"as_of": True}, "as_of: write a day as 2026-11-15; got True."),
        (
            {"as_of": datetime(2026, 11, 15, 9)},
            "as_of: write a day as 2026-11-15; got datetime.datetime(2026, 11, 15, 9, 0).",
        ),
        ({"redact": "perhaps"}, "redact: Input should be a valid boolean, unable to interpret input; got 'perhaps'."),
        ({"definitions": None}, "definitions: Input should be a valid string; got None."),
        ({"data": 3}, "data: Input should be a valid string; got 3."),
        ({"region": ["EMEA"]}, "region: Input should be a valid string."),
        ({1: "x"}, "1: Keys should be strings; got 1."),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(values: dict[Any, Any], said: str) -> None:
    assert refusal(values) == f"Params file x.yml of 20_pipeline_review is wrong in 1 place:\n  {said}"


@pytest.mark.parametrize(
    ("given", "taken"),
    [("2026-11-15", date(2026, 11, 15)), (date(2026, 11, 15), date(2026, 11, 15)), ("", None), (None, None)],
)
def test_a_day_is_taken_as_files_and_cells_write_it(given: object, taken: date | None) -> None:
    assert PipelineReview.read({"as_of": given}, "here").as_of == taken


def test_a_cell_gives_the_names_that_are_fields_and_no_others() -> None:
    names = {"region": "EMEA", "plan": 1, "display": print, "case": "emea"}
    plan = PipelineReview.from_cell(names)
    assert plan == PipelineReview(case="emea", region="EMEA")
    with pytest.raises(PlanError) as refused:
        PipelineReview.from_cell({"redact": 7})
    assert str(refused.value) == (
        "The parameters cell of 20_pipeline_review is wrong in 1 place:\n"
        "  redact: Input should be a valid boolean, unable to interpret input; got 7."
    )


def test_a_variant_changes_what_it_names_and_is_checked_again() -> None:
    plan = PipelineReview(region="EMEA")
    assert plan.but(source="Events").scope == Scope(region="EMEA", source="Events")
    assert plan == PipelineReview(region="EMEA")
    with pytest.raises(PlanError) as refused:
        plan.but(regions="APAC")
    assert str(refused.value) == (
        "A variant of 20_pipeline_review is wrong in 1 place:\n  regions: there is no such name. Did you mean 'region'?"
    )


def test_parameters_come_in_the_order_of_the_cell_as_json_types() -> None:
    found = AlignmentReport(as_of=date(2026, 11, 15), decisions=None).parameters()
    assert found == [
        ("case", "demo"),
        ("as_of", "2026-11-15"),
        ("definitions", "params/definitions.yml"),
        ("decisions", None),
        ("reports", "reports"),
    ]


def test_a_notebook_is_known_by_its_name() -> None:
    assert plan_of("90_alignment_report") is AlignmentReport
    with pytest.raises(PlanError) as refused:
        plan_of("20_pipline_review")
    assert str(refused.value) == "There is no notebook '20_pipline_review'. Did you mean '20_pipeline_review'?"


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        (
            "20_pipline/demo.yml",
            b"case: demo",
            "Params file 20_pipline/demo.yml: its folder has to name the notebook. There is no notebook '20_pipline'. "
            "Did you mean '20_pipeline_review'?",
        ),
        (
            "20_pipeline_review/dmo.yml",
            None,
            "Params file 20_pipeline_review/dmo.yml: there is no params file dmo.yml; in its folder: demo.yml.",
        ),
        (
            "20_pipeline_review/x.yml",
            b"case: [demo",
            "Params file 20_pipeline_review/x.yml: x.yml, line 1: this is not YAML: expected ',' or ']', but got "
            "'<stream end>'.",
        ),
        (
            "20_pipeline_review/x.yml",
            b"",
            "Params file 20_pipeline_review/x.yml: x.yml: the params file is empty or not a mapping of keys to values.",
        ),
        (
            "20_pipeline_review/x.yml",
            b"- demo",
            "Params file 20_pipeline_review/x.yml: x.yml: the params file is empty or not a mapping of keys to values.",
        ),
        (
            "20_pipeline_review/x.yml",
            b"case: a\ncase: b",
            "Params file 20_pipeline_review/x.yml: x.yml, line 2: this is not YAML: the key 'case' is given twice.",
        ),
        (
            "20_pipeline_review/x.yml",
            b"\xff\xfe",
            "Params file 20_pipeline_review/x.yml: x.yml: the params file is not UTF-8 text; save it as UTF-8.",
        ),
        (
            "20_pipeline_review/x.yml",
            b"x=1;import os: 1",
            "Params file 20_pipeline_review/x.yml of 20_pipeline_review is wrong in 1 place:\n"
            f"  x=1;import os: there is no such name. Allowed are {NAMES}.",
        ),
    ],
)
def test_a_params_file_that_cannot_be_read_says_where_and_why(
    path: str, content: bytes | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("20_pipeline_review", "20_pipline"):
        (tmp_path / folder).mkdir()
    (tmp_path / "20_pipeline_review" / "demo.yml").write_text("case: demo")
    if content is not None:
        (tmp_path / path).write_bytes(content)
    with pytest.raises(PlanError) as refused:
        read_plan(Path(path))
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("notebook", "values", "said"),
    [
        (
            "20_pipeline_review",
            "inputs: params/inputs/ours.yml\ntargets: null",
            "names inputs 'params/inputs/ours.yml' and leaves out definitions and decisions",
        ),
        ("90_alignment_report", "case: ours", "names case 'ours' and leaves out definitions and decisions"),
        (
            "90_alignment_report",
            "case: ours\ndefinitions: params/definitions_ours.yml",
            "names case 'ours' and leaves out decisions",
        ),
    ],
)
def test_another_company_is_not_told_under_the_demo_companys_words(
    notebook: str, values: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / notebook / "ours.yml"
    path.parent.mkdir()
    path.write_text(values)
    with pytest.raises(PlanError) as refused:
        read_plan(path)
    assert str(refused.value) == (
        f"Params file {path} {said}: these would be the demo company's. Name yours; targets and decisions may be null."
    )
    path.write_text(values + "\n" + "definitions: params/ours.yml\n" * ("definitions" not in values)
                    + "decisions: null\n")  # fmt: skip
    assert read_plan(path).decisions is None


def test_a_variant_of_the_demo_company_keeps_its_words(tmp_path: Path) -> None:
    path = tmp_path / "20_pipeline_review" / "emea.yml"
    path.parent.mkdir()
    path.write_text("case: emea\nregion: EMEA")
    assert read_plan(path).definitions == "params/definitions.yml"


def test_the_project_is_the_nearest_folder_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid = project_at(tmp_path / "company")
    for inside in (laid, laid / "notebooks", laid / "params" / "inputs"):
        monkeypatch.chdir(inside)
        assert project() == laid
        assert PipelineReview().path("params/targets.yml") == laid / "params" / "targets.yml"
    assert PipelineReview().agreed().company == "Fernhollow Software (demo)"
    assert len(PipelineReview().decided().meetings) == 3
    assert PipelineReview(decisions=None).decided().meetings == ()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlanError) as refused:
        project()
    assert str(refused.value) == (
        f"{tmp_path} is not inside a project: no folder above it holds params/ and notebooks/. Go there first."
    )


def test_an_alignment_report_without_anything_recorded_says_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid = project_at(tmp_path / "company")
    monkeypatch.chdir(laid)
    with pytest.raises(PlanError) as refused:
        AlignmentReport(case="emea", as_of=date(2026, 11, 1)).sections()
    assert str(refused.value) == (
        "The ledger in reports has no report of case 'emea' for 2026-11-01. It holds nothing for this case. "
        "Run the other notebooks of the case first, for the same day."
    )
    # Asking leaves nothing behind.
    assert not (laid / "reports").exists()


def test_scoring_again_without_a_study_stops_before_a_company_is_opened(tmp_path: Path) -> None:
    reports = str(tmp_path / "reports")
    for day, when in (("2026-11-15", " by 2026-11-15"), (None, "")):
        plan = ScoreLeads.model_validate({"reports": reports, "as_of": day, "inputs": "params/inputs/absent.yml"})
        with pytest.raises(PlanError, match=f"There is no saved model of case 'demo'{when} in {reports}. Run 40_"):
            expect_model(plan)
    expect_model(ScoreLeads(reports=reports, model="reports/some/model"))
