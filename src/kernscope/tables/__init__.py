"""Data only: numbers and names of the kernel interface, per architecture where they differ."""
