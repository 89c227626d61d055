"""Inference engines behind one interface: ONNX Runtime, LiteRT and TensorRT."""
