"""How many requests a second the app answers, and how long one waits, with and without batching.

    python examples/serving/load.py [--requests N] [--clients C] [--turns T] [--json FILE] [--quick]

Stacks of the digits' 64 pixels are fitted and exported, one of 256-32 units and one of 2048-2048-32. The app
is started with uvicorn on loopback; C clients, in this process, send a row at a time, N requests in all. The
two ways take turns; figures are medians of the turns. Answers are compared with the model's own codes. How
well a stack is trained makes no difference here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sklearn.datasets import load_digits

from stackae import StackedAutoencoder, Training

HERE = Path(__file__).resolve().parent
WAYS = {"batches": "2", "each alone": "0"}  # milliseconds that a request waits for others


@contextmanager
def served(model: Path, wait: str) -> Iterator[str]:
    """The app in a process of its own; its address, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["uvicorn", "--app-dir", str(HERE), "--factory", "app:make_app", "--port", str(port)]
    environment = {**os.environ, "STACKAE_MODEL": str(model), "STACKAE_WAIT_MS": wait}
    process = subprocess.Popen([sys.executable, "-m", *command, "--log-level", "warning"], env=environment)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                httpx.get(f"{address}/health", trust_env=False)
                break
            except httpx.ConnectError:
                time.sleep(0.1)
            if process.poll() is not None:
                raise SystemExit(f"the app ended with exit code {process.returncode}")
        yield address
    finally:
        process.terminate()
        process.wait()


async def asked(address: str, X: np.ndarray, codes: np.ndarray, args: argparse.Namespace) -> dict[str, float]:
    """What it takes to answer the requests, of a row each, once connections and caches are warm."""
    bodies = [str(row.tolist()) for row in X]
    limits = httpx.Limits(max_connections=args.clients)
    async with httpx.AsyncClient(base_url=address, limits=limits, trust_env=False, timeout=60) as client:

        async def turn(n_requests: int) -> tuple[list[float], dict[str, Any]]:
            seconds, rows = [], iter(range(n_requests))

            async def ask() -> None:
                for k in (row % len(X) for row in rows):
                    start = time.perf_counter()
                    answer = await client.post("/run", content=bodies[k])
                    seconds.append(time.perf_counter() - start)
                    found = answer.raise_for_status().json()["codes"]
                    np.testing.assert_allclose(found, codes[[k]], rtol=1e-5, atol=1e-5)

            await asyncio.gather(*(ask() for _ in range(args.clients)))
            return seconds, (await client.get("/health")).json()

        _, before = await turn(2 * args.clients)
        begin = time.perf_counter()
        seconds, after = await turn(args.requests)
        whole = time.perf_counter() - begin
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    n_runs = after["runs"] - before["runs"]
    return {
        "requests a second": args.requests / whole,
        "p50 ms": p50,
        "p99 ms": p99,
        "rows a run": args.requests / n_runs,
    }


def compared(layers: tuple[int, ...], args: argparse.Namespace, folder: Path) -> dict[str, dict[str, float]]:
    """Both ways of serving one stack, medians of the turns."""
    X = (load_digits().data / 16).astype(np.float32)
    brief = Training(max_epochs=1)
    model = StackedAutoencoder(layers, pretrain=brief, finetune=brief, random_state=0)
    model.fit(X).export_onnx(folder / "encoder.onnx")
    codes = model.transform(X)
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(args.turns):
        for way, wait in WAYS.items():
            with served(folder / "encoder.onnx", wait) as address:
                found[way].append(asyncio.run(asked(address, X, codes, args)))
    return {
        way: {key: float(np.median([t[key] for t in own])) for key in own[0]} for way, own in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument(
        "--quick", action="store_true", help="few requests of the small stack, to see that it runs"
    )
    args = parser.parse_args()
    if args.quick:
        args.requests, args.clients, args.turns = 100, 8, 1
    stacks: dict[str, Any] = {}
    for layers in ((256, 32),) if args.quick else ((256, 32), (2048, 2048, 32)):
        name = "-".join(map(str, (64, *layers)))
        with tempfile.TemporaryDirectory() as folder:
            stacks[name] = compared(layers, args, Path(folder))
        for way, own in stacks[name].items():
            print(f"{name}, {way}: " + ", ".join(f"{figure:.1f} {key}" for key, figure in own.items()))
    if args.json:
        sys.path.insert(0, str(HERE.parent.parent / "benchmarks"))
        from common import write_results

        packages = {own: version(own) for own in ("onnxruntime", "fastapi", "uvicorn", "httpx")}
        asked_of = {"requests": args.requests, "clients": args.clients, "turns": args.turns}
        write_results(args.json, {**asked_of, "packages": packages, "stacks": stacks})


if __name__ == "__main__":
    main()
