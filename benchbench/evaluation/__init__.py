"""Predict, then score: run folders, prediction shards, scores, result files."""
