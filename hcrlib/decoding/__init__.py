"""Decode the outputs of a CTC network to text: best path, beam search, word beam search, and with a language model."""
