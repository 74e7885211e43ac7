"""A fitted model's ONNX file behind HTTP; requests that arrive together are answered by one run of it.

    STACKAE_MODEL=encoder.onnx uvicorn --app-dir examples/serving --factory app:make_app

POST /run takes JSON, a list of rows or one row, in the units of the data given to ``fit``; it answers with
each output of the file: ``{"codes": [[...], ...]}``. GET /health says what the model takes and gives, and how
many requests how many runs have answered. What is no such rows is refused: status 422, a line in ``detail``.
STACKAE_WAIT_MS is how long a request waits for others, in milliseconds (2; with 0 each runs alone), and
STACKAE_MAX_ROWS how many rows a request, and a run, may have (256).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from reprlib import repr as shortened
from typing import Any

import numpy as np
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from onnxruntime import InferenceSession, SessionOptions

Outputs = dict[str, np.ndarray]
LARGEST = float(np.finfo(np.float32).max)


class Batcher:
    """Rows of several requests, run as one and handed back each to its own."""

    def __init__(self, run: Callable[[np.ndarray], Outputs], wait: float, max_rows: int) -> None:
        self.run, self.wait, self.max_rows = run, wait, max_rows
        self.n_requests = self.n_runs = self._n_rows = 0
        self._thread = ThreadPoolExecutor(1)  # the loop stays free: while one batch runs, the next gathers
        self._gathered: list[np.ndarray] = []

    async def outputs(self, rows: np.ndarray) -> Outputs:
        """What the model gives for these rows, ``max_rows`` at most."""
        loop = asyncio.get_running_loop()
        if self._gathered and self._n_rows + len(rows) > self.max_rows:
            self._start()
        if not self._gathered:
            self._answer: asyncio.Future[Outputs] = loop.create_future()
            self._timer = loop.call_later(self.wait, self._start)
        own, answer = slice(self._n_rows, self._n_rows + len(rows)), self._answer
        self._gathered.append(rows)
        self._n_rows += len(rows)
        self.n_requests += 1
        if not self.wait or self._n_rows == self.max_rows:
            self._start()
        found = await asyncio.shield(answer)  # a client that leaves takes nothing from the others
        return {name: values[own] for name, values in found.items()}

    def _start(self) -> None:
        self._timer.cancel()
        X, answer = np.concatenate(self._gathered), self._answer
        self._gathered, self._n_rows = [], 0
        self.n_runs += 1

        def pass_on(done: asyncio.Future[Outputs]) -> None:
            error = done.exception()
            answer.set_exception(error) if error else answer.set_result(done.result())

        running = asyncio.get_running_loop().run_in_executor(self._thread, self.run, X)
        running.add_done_callback(pass_on)


def as_rows(body: bytes, width: int, max_rows: int) -> np.ndarray:
    """The rows of a request, float32 (rows × ``width``); ValueError with one line where there are none."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON: send a list of rows, or one row") from None
    if not isinstance(given, list) or not given:
        raise ValueError(f"the body is {shortened(given)}: send a list of rows, or one row")
    rows = given if isinstance(given[0], list) else [given]
    if len(rows) > max_rows:
        raise ValueError(f"{len(rows)} rows: send at most {max_rows} at a time")
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width:
            raise ValueError(f"row {i}: {shortened(row)} is no list of {width} numbers")
        for j, value in enumerate(row):
            if type(value) not in (int, float) or not abs(value) <= LARGEST:
                raise ValueError(f"row {i}, column {j}: {shortened(value)} is no finite float32 number")
    return np.array(rows, np.float32)


def make_app() -> FastAPI:
    """The app, its model loaded once."""
    settings, setting = SessionOptions(), os.environ.get
    path = setting("STACKAE_MODEL", "")
    if not os.path.isfile(path):
        raise SystemExit(
            f"STACKAE_MODEL must be the path of an ONNX file, as stackae export writes it, got {path!r}"
        )
    settings.intra_op_num_threads = 1  # more processors are for more processes
    session = InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    width, names = session.get_inputs()[0].shape[1], [output.name for output in session.get_outputs()]
    batcher = Batcher(
        lambda X: dict(zip(names, session.run(names, {"X": X}), strict=True)),
        float(setting("STACKAE_WAIT_MS", "2")) / 1000,
        int(setting("STACKAE_MAX_ROWS", "256")),
    )
    app = FastAPI(title="stackae")

    @app.post("/run")
    async def run(request: Request) -> JSONResponse:
        try:
            rows = as_rows(await request.body(), width, batcher.max_rows)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        outputs = await batcher.outputs(rows)
        if any(v.dtype.kind == "f" and not np.isfinite(v).all() for v in outputs.values()):
            raise HTTPException(422, "the answer is not finite: the rows are too far from those of the fit")
        return JSONResponse({name: values.tolist() for name, values in outputs.items()})

    @app.get("/health")
    async def health() -> dict[str, Any]:
        counts = {"requests": batcher.n_requests, "runs": batcher.n_runs}
        return {"status": "ok", "n_features": width, "outputs": names, **counts}

    return app
