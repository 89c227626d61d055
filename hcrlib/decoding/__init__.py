"""Decode the outputs of a CTC network to text: best path, beam search and word beam search."""
