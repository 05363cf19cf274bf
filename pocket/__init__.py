"""How the small demo models are made. A maintainer's room: nothing of the pipeline imports it. See README.md."""
