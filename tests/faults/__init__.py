"""The faults that users make: each is reproduced, and its message is checked."""
