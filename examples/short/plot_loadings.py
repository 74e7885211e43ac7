"""
Which columns a code depends on
===============================

Loadings say how much each number of the code changes when a column rises by one standard deviation. The data are
chemical measurements of 178 wines.
"""

from sklearn.datasets import load_wine

from stackae import StackedAutoencoder
from stackae.plotting import LoadingsDisplay

wines = load_wine(as_frame=True).data
stack = StackedAutoencoder((52, 3), random_state=0).fit(wines)
display = LoadingsDisplay.from_estimator(stack, wines)

# %%
# The four columns that the first number of the code depends on most:

print(stack.loadings(wines).strongest(0, 4))
