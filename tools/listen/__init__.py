"""A local web page to type a text and hear it in several voices. Run by `make listen`."""
