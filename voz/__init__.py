"""What the stages share, in rooms. CONTRIBUTING.md has a picture of which room imports which."""
