"""Players, charts, tables and the blind test for HTML pages.

The stage or tool that writes a page decides what is on it.
"""
