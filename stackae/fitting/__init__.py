"""From parameters and data to a fitted module: a plan first, then layer after layer, then end to end."""
