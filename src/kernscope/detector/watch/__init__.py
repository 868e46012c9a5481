"""Watching a host: what the rules need of the kernel, and the events that come from it."""
