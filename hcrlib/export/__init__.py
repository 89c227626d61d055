"""Trained models in formats that need no training library: ONNX, TensorFlow Lite, bundles and the zoo."""
