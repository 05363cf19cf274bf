"""Reads written Spanish aloud, kind of token by kind of token; aloud.py has the order of the kinds."""
