"""Remove a note and all that was made of it, everywhere. Run by `make forget`."""
