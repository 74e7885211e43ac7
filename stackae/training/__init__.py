"""The engine: it trains any module that has an ``objective`` on rows that are one tensor.

It knows modules and tensors, nothing of stacks, layers or scikit-learn.
"""
