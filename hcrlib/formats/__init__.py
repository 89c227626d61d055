"""Writers of trained models in formats that need no training library: ONNX and TensorFlow Lite."""
