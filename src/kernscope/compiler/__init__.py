"""Lowering from the checked tree to SSA, and the pipeline from text to Bundle."""

from .pipeline import compile_source

__all__ = ["compile_source"]
