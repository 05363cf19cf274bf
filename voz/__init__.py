"""What the stages share: one noun, one file."""
