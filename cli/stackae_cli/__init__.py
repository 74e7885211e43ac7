"""The command line of stackae."""
