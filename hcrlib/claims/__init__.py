"""The claims of papers, judged by runs."""
