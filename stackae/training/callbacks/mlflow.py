"""A fit in MLflow: parameters, curves, health, reconstructions and weights, as one run of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time
from typing import Any

from stackae.serialization.provenance import versions
from stackae.training.callbacks.logger import Logger, Picture, refuse_missing

#: What MLflow takes of a value, and of parameters at once.
_LONGEST, _AT_ONCE = 500, 100


class MLflowLogger(Logger):
    """Log fits to MLflow, as one run.

    The estimator's parameters become the run's parameters, versions its tags. Metrics have the names and
    steps of :class:`~stackae.training.callbacks.TensorBoardLogger`, such as ``loss/layer_1``; images are
    artifacts, such as ``reconstructions/finetune/00010.png``. The run ends as FINISHED, as FAILED after an
    error, or as KILLED after a signal. MLflow's active run is not touched.

    Parameters
    ----------
    experiment : str
        Created if missing.
    run_name : str or None, default=None
        None: MLflow makes one up.
    tracking_uri : str or None, default=None
        Such as ``"sqlite:///mlflow.db"``. None: as MLflow is configured.
    every : int, default=10
        Epochs between two images, which a phase's last epoch always has. 0: no images.
    image_shape : tuple of 2 or 3 int, or None, default=None
        As in :class:`~stackae.training.callbacks.TensorBoardLogger`.
    resume : bool, default=False
        Continue the newest run of that name, if there is one.

    Raises
    ------
    ParameterError
        The package mlflow is not installed (``pip install 'stackae[mlflow]'``).
    """

    def __init__(
        self,
        experiment: str,
        *,
        run_name: str | None = None,
        tracking_uri: str | None = None,
        every: int = 10,
        image_shape: Sequence[int] | None = None,
        resume: bool = False,
    ) -> None:
        refuse_missing("MLflowLogger", "mlflow", "mlflow", "PIL")
        super().__init__(every, image_shape)
        self.experiment = experiment
        self.run_name = run_name
        self.tracking_uri = tracking_uri
        self.resume = resume
        #: MLflow's name of the run; empty before it has begun.
        self.run_id = ""

    def setup(self, estimator: Any) -> None:
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(self.tracking_uri)
        if not self.run_id:
            known = self._client.get_experiment_by_name(self.experiment)
            where = self._client.create_experiment(self.experiment) if known is None else known.experiment_id
            self.run_id = self._found(where) if self.resume else ""
            if not self.run_id:
                self._begin(where, estimator)
                return
            self._last = self._last_steps()
        self._client.set_terminated(self.run_id, "RUNNING")

    def teardown(self, estimator: Any, error: BaseException | None) -> None:
        if self.run_id:
            broken = "FAILED" if isinstance(error, Exception) else "KILLED"
            self._client.set_terminated(self.run_id, "FINISHED" if error is None else broken)

    def _begin(self, experiment_id: str, estimator: Any) -> None:
        from mlflow.entities import Param

        tags = {f"version.{name}": version for name, version in versions().items()}
        tags["estimator"] = type(estimator).__name__
        run = self._client.create_run(experiment_id, run_name=self.run_name, tags=tags)
        self.run_id = run.info.run_id
        parameters = [Param(name, str(v)[:_LONGEST]) for name, v in estimator.get_params().items()]
        for k in range(0, len(parameters), _AT_ONCE):
            self._client.log_batch(self.run_id, params=parameters[k : k + _AT_ONCE])

    def _found(self, experiment_id: str) -> str:
        """The newest run of that name, or none."""
        runs = self._client.search_runs([experiment_id], order_by=["attributes.start_time DESC"])
        names = {run.info.run_name: run.info.run_id for run in reversed(runs)}
        return str(names.get(self.run_name, ""))

    def _last_steps(self) -> dict[str, int]:
        """The last step of each metric that is there."""
        names = self._client.get_run(self.run_id).data.metrics
        return {
            name: max(m.step for m in self._client.get_metric_history(self.run_id, name)) for name in names
        }

    def _write(self, numbers: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time())
        self._client.log_batch(self.run_id, [Metric(name, v, now, step) for name, v in numbers.items()])

    def _write_image(self, name: str, picture: Picture, step: int) -> None:
        shown = picture[:, :, 0] if picture.shape[2] == 1 else picture
        self._client.log_image(self.run_id, shown, f"{name}/{step:05d}.png")  # the same one where it is there
