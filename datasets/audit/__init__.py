"""Is a prepared data set what it says? `bench prepare NAME --audit`, explained in docs/audit.md."""
