"""Pictures of results: bars, distributions, one metric against another, galleries of shapes."""
