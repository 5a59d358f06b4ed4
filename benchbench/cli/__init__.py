"""The `bench` command line: one file per verb. Heavy imports stay inside the functions."""
