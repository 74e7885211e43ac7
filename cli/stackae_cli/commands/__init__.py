"""One command a module; each is added to the group in ``stackae_cli.main``."""
