"""What every ``"auto"`` means: for the parts of a layer, for how it is trained.

The figures behind the numbers are in docs/defaults.md.
"""
