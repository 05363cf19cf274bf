"""Players, charts and tables for HTML pages.

The stage or tool that writes a page decides what is on it.
"""
