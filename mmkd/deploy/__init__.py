"""Deployment of trained networks: ONNX files, int8, scores and latency."""
