"""Figures of records and predictions."""
