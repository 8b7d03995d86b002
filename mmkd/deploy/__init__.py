"""What a trained network is worth deployed: as an ONNX file, in int8, in time."""
