"""Detector and classifier: pre-processing, output heads, suppression, crops."""
