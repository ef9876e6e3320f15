"""Optional: frames of a burst in which nothing changed since an empty one are not shown to the detector."""
