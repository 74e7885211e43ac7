"""What a result is labelled with."""

from stackae.serialization.provenance import machine, versions


def test_versions_and_machine_are_told():
    assert all(versions().values())
    assert machine()["cores"] >= 1
    assert machine()["processor"]
