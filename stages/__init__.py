"""The pipeline: one file, one stage, one entry of dvc.yaml, run as `python -m stages.NAME`."""

import voz as voz  # before torch
