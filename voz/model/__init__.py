"""The networks: XTTS and Whisper. Loading, training, synthesis, transcription, export. Their output is measured in `metrics`."""
