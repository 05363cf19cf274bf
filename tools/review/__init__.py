"""A local web page to listen to clips and correct them. Run by `make review`."""
