"""Remove a voice note and everything that was made from it. Run by `make forget`."""
