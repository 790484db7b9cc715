"""Static pages of many reports."""
