"""The detector that the package carries: trained here, from photos to bundle."""
