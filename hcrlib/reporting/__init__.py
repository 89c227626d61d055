"""Leaderboards, queries and reports of records."""
