"""Pictures and tables for pages.

What a page says is decided by the stage or tool that shows it.
"""
