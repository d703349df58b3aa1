"""Training on curated sets: thin calls into TRL."""
