"""What the library refuses, in the words of the command line."""

from __future__ import annotations

import re

import pytest

from stackae_cli.wording import on_the_command_line

#: What only somebody who writes Python can follow.
PYTHON = re.compile(
    r"\w='|=True|=False|=None|layers\[|\.\.\.|n_components|max_memory|batch_size|[a-z][A-Z]|[A-Z]\w+\("
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "--layer 8 --layer 4:frozen",
            "layer 2 is frozen, and is the last: nothing is left to fine-tune; leave frozen out, or give"
            " --finetune-epochs 0",
        ),
        (
            "--layer 8 --layer 5:frozen --layer 4",
            "layer 2 is frozen, and layer 1 below it is not; freeze that, too",
        ),
        (
            "--layer 8:topk=100",
            "topk,k=100 needs at least so many units, got 8; lower k or widen the layer",
        ),
        (
            "--layer 8:scale=none --layer 4",
            "scale is for all layers: leave it out of layer 1, and give --scale",
        ),
        (
            "--layer 8:tied --shortcut pca",
            "--shortcut pca cannot be: there is one layer; leave --shortcut out, or give none",
        ),
        (
            "--layer 4:convolutional=7x7",
            "convolutional=7x7 has 49 values, but the rows have 64; give height, width and, where there are"
            " several, channels, in this order, or channels first with channels_first=true",
        ),
        ("--layer 4:convolutional=8x8,kernel_size=4", "kernel_size of convolutional must be odd, got 4"),
        (
            "--layer 8:recurrent=8x8:tied",
            "recurrent has a decoder of its own, whose weights cannot be tied; leave tied out",
        ),
        (
            "--layer 8:neighbors=300 --batch-size 33",
            "neighbors trains rows in pairs: --batch-size must be even, and at least 4, got 33; leave it out,"
            " or try 256",
        ),
        (
            "--layer 8 --ordered --shortcut none --layer 4:topk=2",
            "--ordered nests the last layer's code, which has a code of its own, got topk,k=2; leave it out,"
            " or leave --ordered out",
        ),
        (
            "--layer 4:recurrent=8x8 --ordered",
            "--ordered needs a dense last layer, got recurrent=8x8; choose dense, or leave --ordered out",
        ),
        (
            "--layer 8:kl=0.05:activation=relu",
            "kl is defined for activation=sigmoid, got 'relu'; choose that, or leave activation out",
        ),
        (
            "--layer 8:cross_entropy --scale standard",
            "cross_entropy needs inputs in [0, 1], got values from 0 to 1 with --scale standard; give --scale"
            " minmax or squared_error",
        ),
        (
            "--layer 8:marginalised:cross_entropy",
            "marginalised is fitted by squared_error, got cross_entropy; leave loss out, or choose another"
            " network",
        ),
        (
            "--pretrain corruption=masking",
            "--pretrain takes no corruption: each layer has its own, as in --layer 256:masking=0.25",
        ),
        (
            "--pretrain layerwise_rate=0.5",
            "layerwise_rate is for fine-tuning, got one in pretraining, which has one layer at a time; leave"
            " it out",
        ),
        (
            "--layer 8:neighbors --precision bfloat16",
            "neighbors needs --precision float32 or 'auto', got 'bfloat16', which cannot tell near codes"
            " apart",
        ),
    ],
)
def test_refusals_speak_of_options(stackae, options, message):
    refused = stackae("pretrain", "digits", "--dry-run", *options.split())
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == f"stackae: error: {message}\n"
    assert not PYTHON.search(message)


@pytest.mark.parametrize(
    "own", ["runs/L1: exists", "'max_memory' and 'TopK' are columns", "Dense.csv, Masking-2"]
)
def test_names_of_the_users_own_stay(own):
    assert on_the_command_line(own) == own
