"""Decode the outputs of a CTC network to text: best path, beam search, word beam search, and with a language model."""

LANGUAGE = "language.npz"  # beside the network of a bundle: a language model that its lines are decoded with
