"""What the stages share, in rooms. CONTRIBUTING.md has a picture of which room imports which."""

import os

# OpenMP reads this when torch is loaded, so the first import of a command's package is this one. A thread that spins while it waits keeps
# the one that it waits for off the core, if another program has the other: products then take ten times as long (benchmarks/README.md).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
