"""`python -m benchbench` is the same program as `bench`."""

from benchbench.cli.main import console

if __name__ == "__main__":
    console()
