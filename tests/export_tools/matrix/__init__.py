"""Whether NVIDIA's own parser and builder take every TensorRT variant of every family: `make export-matrix`."""
