"""Models: from a prepared image to a unit embedding.

A model is a folder that is addressed by its digest (`artifact`), found by the `registry`, run by a `backbone` and
wrapped by the `embedder`, which pools, projects and normalizes. Only `openvino_backbone` imports OpenVINO; only
`torch_backbone` and the room `building` import torch, and nothing here imports those two unasked, so a service that
embeds stays free of torch.
"""
