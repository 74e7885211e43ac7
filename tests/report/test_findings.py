"""A sentence for each finding: what, how much of it, and what to try."""

from __future__ import annotations

import pytest

from stackae.report.findings import of_health, of_reconstruction, of_training, of_widths

GOOD = {"dead_units": 0.0, "saturated_units": 0.0, "effective_rank": 200.0}


def epochs(losses, held_out=None, phase="finetune", layer=None):
    held_out = [None] * len(losses) if held_out is None else held_out
    return [
        {"phase": phase, "layer": layer, "loss": loss, "validation_loss": other}
        for loss, other in zip(losses, held_out, strict=True)
    ]


def test_nothing_is_found_where_all_is_well():
    assert of_health([GOOD, {**GOOD, "effective_rank": 8.0}], [256, 8]) == []
    assert of_widths(64, 8, is_sparse=False) == []
    assert of_reconstruction(0.9, 0.905, 8) == []
    assert of_training(epochs([2, 1.2, 1.01, 1.0], [2, 1.2, 1.03, 1.0])) == []
    assert of_training([]) == []


def test_dead_units_are_counted_layer_by_layer():
    found = of_health([{**GOOD, "dead_units": 23 / 256}, {**GOOD, "dead_units": 1 / 64}], [256, 64])
    assert found == [
        "23 of 256 units of layer 1 never fire: try a smaller learning rate or fewer units.",
        "1 of 64 units of layer 2 never fires: try a smaller learning rate or fewer units.",
    ]


@pytest.mark.parametrize(("n", "verb"), [(20, "are"), (13, "are")])
def test_saturated_units_are_told_of_where_they_are_many(n, verb):
    (sentence,) = of_health([{**GOOD, "saturated_units": n / 256}], [256])
    assert sentence.startswith(f"{n} of 256 units of layer 1 {verb} at a bound for nearly all rows: try ")
    assert of_health([{**GOOD, "saturated_units": 12 / 256}], [256]) == []


def test_few_directions_are_told_of_but_in_narrow_layers():
    (sentence,) = of_health([{**GOOD, "effective_rank": 3.14}], [64])
    assert sentence.startswith("The codes of layer 1 use 3.1 of 64 directions: try fewer units")
    assert of_health([{**GOOD, "effective_rank": 1.0}], [4]) == []


def test_units_that_are_dead_are_not_missed_twice():
    found = of_health([{**GOOD, "dead_units": 0.75, "effective_rank": 12.0}], [64])
    assert len(found) == 1


def test_as_many_codes_as_numbers_are_told_of_unless_they_are_sparse():
    (sentence,) = of_widths(9, 64, is_sparse=False)
    assert sentence == (
        "64 codes for 9 numbers a row: nothing is compressed, and PCA would keep all; try fewer codes."
    )
    assert of_widths(9, 64, is_sparse=True) == []


def test_a_low_r2_is_told_of_and_so_is_a_better_pca():
    low, behind = of_reconstruction(0.392, 0.89, 12)
    assert low.startswith("R² of the reconstruction is 0.39, less than half of the variance: try longer ")
    assert behind == (
        "PCA of 12 components reconstructs more, R² 0.890 against 0.392: try longer training or wider layers."
    )
    (behind,) = of_reconstruction(0.8, 0.89, 1, may_have_shortcut=True)
    assert behind.startswith("PCA of 1 component reconstructs more, R² 0.890 against 0.800: ")
    assert behind.endswith("try longer training, wider layers or shortcut='pca'.")
    assert of_reconstruction(None, None, 12) == []


def test_what_a_penalty_costs_is_not_laid_to_the_layers_alone():
    (low,) = of_reconstruction(0.1, None, 2, penalties=["NeighborEmbedding()"])
    assert low.endswith(": try a smaller weight of NeighborEmbedding(), longer training or wider layers.")


def test_a_loss_that_still_falls_is_told_of_by_the_rows_held_out():
    (sentence,) = of_training(epochs([8, 4, 2, 1], phase="pretrain", layer=2))
    assert sentence == "The loss of layer 2 still fell by 50 % at the end: try more epochs (max_epochs)."
    assert of_training(epochs([8, 4, 2, 1], [1, 0.9, 0.9, 0.9])) == []
    assert of_training(epochs([8, 1])) == []


def test_rows_learned_by_heart_are_told_of():
    (sentence,) = of_training(epochs([3, 1, 1, 1], [3, 2, 2, 2]))
    assert sentence.startswith("Rows held out lose 2.0 times as much as training rows in fine-tuning: try ")
