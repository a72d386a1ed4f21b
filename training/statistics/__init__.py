"""The gate's formulas: plain numbers in, a verdict with its interval out. No files, no models."""
