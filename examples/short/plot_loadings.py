"""
Which columns make which code
=============================

By how much each code moves when a column rises by a standard deviation, of the chemistry of 178 wines.
"""

from sklearn.datasets import load_wine

from stackae import StackedAutoencoder
from stackae.plotting import LoadingsDisplay

wines = load_wine(as_frame=True).data
stack = StackedAutoencoder((52, 3), random_state=0).fit(wines)
display = LoadingsDisplay.from_estimator(stack, wines)

# %%
# The strongest of the first code, as numbers:

print(stack.loadings(wines).strongest(0, 4))
