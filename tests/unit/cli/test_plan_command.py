import json

from typer.testing import CliRunner

from xmirad.cli.main import app
from xmirad.planning.plan import make_plan
from xmirad.planning.request import GIB, PlanRequest
from xmirad.types import EdgeIndex

ASKED = ("--images", "1000000", "--index", "int8", "--explanations-per-day", "500", "--warm-share", "0.1")


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["plan", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_a_plan_names_memory_disk_nodes_workers_and_what_drives_the_cost() -> None:
    shown = run(*ASKED)
    for word in ("memory:", "disk:", "occlusion cache", "nodes", "explainers", "hours to rebuild", "driver"):
        assert word in shown


def test_a_plan_as_json_is_the_plan() -> None:
    shown = json.loads(run(*ASKED, "--node-memory", "16", "--json"))
    plan = make_plan(
        PlanRequest(
            images=1_000_000,
            index=EdgeIndex.INT8,
            explanations_per_day=500,
            warm_share=0.1,
            node_memory_bytes=16 * GIB,
        )
    )
    assert shown["nodes"] == plan.nodes
    assert shown["explainers"] == plan.explainers
    assert shown["disk_bytes"] == dict(plan.disk_bytes)
    assert shown["drivers"][0]["name"] == plan.drivers[0].name
    assert shown["request"]["index"] == "int8"


def test_an_endless_number_is_refused_by_name() -> None:
    result = CliRunner().invoke(app, ["plan", "--images", "10", "--searches-per-second", "inf"])
    assert result.exit_code != 0
    assert "searches_per_second" in result.output
    assert "Traceback" not in result.output


def test_a_share_above_one_is_refused_by_name() -> None:
    result = CliRunner().invoke(app, ["plan", "--images", "10", "--warm-share", "2"])
    assert result.exit_code != 0
    assert "warm_share" in result.output
