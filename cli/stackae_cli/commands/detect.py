"""``stackae detect``: a pretrained run to a detector of outliers, which keeps its threshold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackae_cli.options import NumberRange, about, load_stack, model_on_rows, note, path_of, say_written
from stackae_cli.resume import config_option, write_config
from stackae_cli.run_folder import MODEL, leave, run_folder, sha256
from stackae_cli.source import Source, config_of, data_of, say_what_is_ignored


@click.command(no_args_is_help=True)
@model_on_rows
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="RUN",
    help="The folder to create for the detector. It must not exist.",
)
@click.option(
    "--contamination",
    type=NumberRange(0, 0.5, min_open=True),
    default=0.1,
    show_default=True,
    metavar="SHARE",
    help="The share of the rows of DATA that are outliers: those with the largest errors.",
)
@config_option
def detect(out: Path, **options: Any) -> None:
    """Turn RUN into an outlier detector, with a threshold set on the rows of DATA.

    DATA are typical rows, preferably ones that RUN was not pretrained on, since it has smaller errors on its
    own. The threshold is the error that the share --contamination of them exceeds. "stackae score" then says
    which other rows are outliers, and in which columns; "stackae predict" writes -1 or 1. If DATA is left
    out, it is what RUN was made from.
    """
    from sklearn.frozen import FrozenEstimator

    from stackae import StackedAutoencoderDetector
    from stackae.data import fingerprint
    from stackae_cli.commands.score import unit_of

    options["data"] = data_of(options["run"], options["data"])
    encoder = load_stack(options["run"], options["device"])
    source = Source.of(options).as_told(options["run"])
    share = options["contamination"]
    model = StackedAutoencoderDetector(
        FrozenEstimator(encoder), contamination=share, device=options["device"]
    )
    model.check_parameters()
    with run_folder(out) as folder:
        data = source.read(encoder)
        say_what_is_ignored(source, data, options["run"])
        made_from = {
            "rows": len(data.X),
            "fingerprint": fingerprint(data.X),
            "model": sha256(path_of(options["run"])),
        }
        write_config(folder, "detect", options, made_from)
        if dict(config_of(options["run"]).get("ran", {})).get("fingerprint") == made_from["fingerprint"]:
            note(
                f"{source.data} is what {options['run']} was pretrained on, and new rows have larger errors:"
                f" more than {100 * share:g} % of them will be called outliers; give rows kept aside, if you"
                " have some"
            )
        with about(source.data):
            model.fit(data.named_samples)
        leave(folder, model)
    say_written(
        out / MODEL,
        f"detector on {len(data.X):,} rows, of which {100 * share:g} % have a squared error over"
        f" {-model.offset_:.5g} ({unit_of(model)})",
    )
