"""Why an image was found: saliency maps from arrays, and figures that say how far to trust them.

Pure: nothing here reads, writes, or runs a network. Callers bring embeddings, activations, or a callable that embeds a
batch. numpy only, except for `render`, which writes PNG with Pillow.

`method` is the contract; `occlusion`, `attention` and `activation` fulfill it. Occlusion stands on `lattice` (where the
windows are), `levels` (in which order), `masking` (what the network sees), `codec` (how masked embeddings are kept),
`scoring` (what a hidden window does to a distance), `aggregation` (from windows to pixels) and `preview` (before all
windows are there). `fidelity` tests a map against chance. `geometry` and `render` bring it back to the original.
"""
