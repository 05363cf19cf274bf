"""Remotes: adding one with safe settings, pushing to it, and checking that it really has what this checkout needs."""
