"""Ours against what a user would otherwise run. `python -m benchmarks.bench_NAME`; results in README.md."""
