"""The ground everything stands on: errors, prediction types, paths, atomic files, progress."""
