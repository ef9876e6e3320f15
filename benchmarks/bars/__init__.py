"""The figures that this project holds itself to, each beside its bar; `python -m benchmarks.bars.NAME`."""
