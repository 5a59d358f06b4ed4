"""Tables from result files: never recomputed, never mixed. Needs neither data nor torch."""
