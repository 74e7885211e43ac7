"""The example that serves a model answers with the model's own codes, many requests by few runs."""

from __future__ import annotations

import asyncio
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from helpers import small_stack

from stackae import StackedAutoencoderClassifier, Training

httpx = pytest.importorskip("httpx", reason="needs httpx: pip install 'stackae[test]'")
pytest.importorskip("fastapi", reason="needs fastapi: pip install 'stackae[test]'")

APP = Path(__file__).parent.parent / "examples" / "serving" / "app.py"
BRIEF = Training(max_epochs=1)


@pytest.fixture(scope="module")
def model(digits):
    return small_stack(pretrain=BRIEF, finetune=BRIEF).fit(digits[:200])


@pytest.fixture
def served(model, tmp_path, monkeypatch):
    """What the app answers to bodies that are sent at once, and its health afterwards; no port is opened."""

    def call(*bodies, model=model, **settings):
        model.export_onnx(tmp_path / "model.onnx")
        for name, value in {"model": tmp_path / "model.onnx", **settings}.items():
            monkeypatch.setenv(f"STACKAE_{name.upper()}", str(value))
        transport = httpx.ASGITransport(runpy.run_path(str(APP))["make_app"](), raise_app_exceptions=False)

        async def ask():
            async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
                sent = (client.post("/run", content=body) for body in bodies)
                return await asyncio.gather(*sent), (await client.get("/health")).json()

        return asyncio.run(ask())

    return call


def as_body(rows):
    return json.dumps(np.asarray(rows, np.float32).tolist())


def test_the_answer_is_the_models_own_codes_of_rows_and_of_one_row(served, model, digits):
    (rows, row), health = served(as_body(digits[:7]), as_body(digits[7]))
    assert rows.status_code == row.status_code == 200
    found = np.array(rows.json()["codes"] + row.json()["codes"])
    np.testing.assert_allclose(found, model.transform(digits[:8].astype(np.float32)), rtol=1e-5, atol=1e-5)
    assert health["status"] == "ok"
    assert (health["n_features"], health["outputs"]) == (64, ["codes"])


@pytest.mark.parametrize(("wait_ms", "max_rows", "runs"), [(60_000, 60, 1), (60_000, 15, 4), (0, 60, 12)])
def test_requests_at_once_are_each_answered_with_their_own_rows_by_as_few_runs_as_rows_allow(
    wait_ms, max_rows, runs, served, model, digits
):
    own = [digits[6 * k :][: 4 + k % 3] for k in range(12)]  # 4, 5 and 6 rows in turn: 60 in all
    answers, health = served(*map(as_body, own), wait_ms=wait_ms, max_rows=max_rows)
    for answer, rows in zip(answers, own, strict=True):
        expected = model.transform(rows.astype(np.float32))
        np.testing.assert_allclose(answer.json()["codes"], expected, rtol=1e-5, atol=1e-5)
    assert (health["requests"], health["runs"]) == (12, runs)


@pytest.mark.parametrize("path", [None, "nowhere.onnx"])
def test_without_a_model_the_app_ends_in_one_line(path, monkeypatch):
    monkeypatch.delenv("STACKAE_MODEL", raising=False)
    if path is not None:
        monkeypatch.setenv("STACKAE_MODEL", path)
    with pytest.raises(
        SystemExit, match=f"^STACKAE_MODEL must be the path of an ONNX file.*got '{path or ''}'$"
    ):
        runpy.run_path(str(APP))["make_app"]()


def test_predictions_are_served_by_their_names(served, digits):
    encoder = small_stack(pretrain=BRIEF, finetune=BRIEF)
    model = StackedAutoencoderClassifier(encoder, random_state=0)
    model.fit(digits[:100], np.repeat(["even", "odd"], 50))
    (answer,), _ = served(as_body(digits[:3]), model=model)
    assert answer.json()["label"] == model.predict(digits[:3]).tolist()
    np.testing.assert_allclose(answer.json()["probabilities"], model.predict_proba(digits[:3]), atol=1e-5)


ROW = "[" + ", ".join(["0"] * 63) + ", {}]"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("", "the body is not JSON: send a list of rows, or one row"),
        ("[[1, 2", "the body is not JSON: send a list of rows, or one row"),
        ("[" * 200_000, "the body is not JSON: send a list of rows, or one row"),
        (b"\xff\xfe\xff", "the body is not JSON: send a list of rows, or one row"),
        ("[]", "the body is []: send a list of rows, or one row"),
        ('{"rows": []}', "the body is {'rows': []}: send a list of rows, or one row"),
        ("[1, 2]", "row 0: [1, 2] is no list of 64 numbers"),
        (f"[{ROW.format(0)}, 5]", "row 1: 5 is no list of 64 numbers"),
        (ROW.format('"a\\nb"'), r"row 0, column 63: 'a\nb' is no finite float32 number"),
        (ROW.format("null"), "row 0, column 63: None is no finite float32 number"),
        (ROW.format("true"), "row 0, column 63: True is no finite float32 number"),
        (ROW.format("[1]"), "row 0, column 63: [1] is no finite float32 number"),
        (ROW.format("NaN"), "row 0, column 63: nan is no finite float32 number"),
        (ROW.format("-Infinity"), "row 0, column 63: -inf is no finite float32 number"),
        (ROW.format("1e39"), "row 0, column 63: 1e+39 is no finite float32 number"),
        (ROW.format("1" + "0" * 60), f"row 0, column 63: {10**60} is no finite float32 number"),
        (f"[{', '.join([ROW.format(0)] * 9)}]", "9 rows: send at most 8 at a time"),
    ],
    ids=str,
)
def test_what_is_no_rows_is_refused_with_one_line_and_nothing_is_run(body, line, served):
    (answer,), health = served(body, max_rows=8)
    assert answer.status_code == 422
    (key, detail), *others = answer.json().items()
    assert (key, others) == ("detail", [])
    assert "\n" not in detail
    start, _, end = line.partition("0" * 20)  # long numbers are shortened in the middle
    assert detail == line or (
        len(detail) < len(line) and detail.startswith(start) and detail.endswith(end[-30:])
    )
    assert health["runs"] == 0


def test_rows_so_far_away_that_their_answer_is_not_finite_are_refused_alone(served, model, digits):
    far, near = np.full(64, 3e38), digits[:2]
    answers, health = served(as_body(far), as_body(near), wait_ms=60_000, max_rows=3)
    assert health["runs"] == 1
    assert [answer.status_code for answer in answers] == [422, 200]
    assert answers[0].json()["detail"].startswith("the answer is not finite: ")
    np.testing.assert_allclose(
        answers[1].json()["codes"], model.transform(near.astype(np.float32)), atol=1e-5
    )


@pytest.fixture
def batcher():
    """A batcher of two rows, or as many as are asked for, that waits a minute; it doubles, but for negative rows."""

    def run(X):
        if X.min() < 0:
            raise OSError("failed")
        return {"codes": 2 * X, "rows of the run": np.full(len(X), len(X))}

    return lambda max_rows=2: runpy.run_path(str(APP))["Batcher"](run, 60, max_rows)


def test_a_run_has_no_more_rows_than_it_may_have(batcher):
    async def ask():
        own = batcher(16)
        return await asyncio.gather(*(own.outputs(np.ones((n, 1))) for n in (6, 6, 16)))

    assert [set(own["rows of the run"].tolist()) for own in asyncio.run(ask())] == [{12}, {12}, {16}]


def test_a_run_that_fails_is_told_to_all_that_it_was_for_and_the_next_goes_on(batcher):
    async def ask():
        own = batcher()
        asked = (own.outputs(np.array([[x]])) for x in (-1.0, 1.0))
        return await asyncio.gather(*asked, return_exceptions=True), await own.outputs(np.ones((2, 1)))

    failed, after = asyncio.run(ask())
    assert [str(error) for error in failed] == ["failed", "failed"]
    assert after["codes"].tolist() == [[2.0], [2.0]]


def test_a_client_that_leaves_takes_nothing_from_those_it_was_to_be_run_with(batcher):
    async def ask():
        own = batcher()
        leaving = asyncio.create_task(own.outputs(np.array([[1.0]])))
        await asyncio.sleep(0)
        leaving.cancel()
        return await own.outputs(np.array([[3.0]]))

    assert asyncio.run(ask())["codes"].tolist() == [[6.0]]


def test_what_the_page_says_of_batching_is_what_was_measured():
    root = APP.parents[2]
    page = (root / "docs" / "guide" / "serving.md").read_text(encoding="utf-8")
    results = json.loads((root / "benchmarks" / "results" / "serving.json").read_text(encoding="utf-8"))
    found, cores = results["results"], results["machine"]["cores"]
    rates = [own["requests a second"] for ways in found["stacks"].values() for own in ways.values()]
    assert ("All four lines are alike" in page) == (max(rates) < 1.1 * min(rates))
    assert f"machine of {cores} cores" in page
    assert f"{found['clients']} clients, one row a request" in page
    for name, ways in found["stacks"].items():
        for way, own in ways.items():
            figures = [f"{own[key]:.0f}" for key in ("requests a second", "p50 ms", "p99 ms")]
            assert f"| {name} | {way} | {' | '.join(figures)} | {own['rows a run']:.1f} |" in page
