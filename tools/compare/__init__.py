"""Two voices out of git and DVC on one page: by ear and by number."""
