"""What the settings fragments share: private, pure, and without Django."""
