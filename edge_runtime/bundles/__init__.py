"""The model bundle on disk: `BUNDLE.md` is its specification."""
