"""Metric learning: from labeled training images to a model artifact.

`xmirad.training.recipe` says what is trained and how, as data, and needs no torch. `xmirad.training.train` does it and
imports torch. Training reads the training and the validation split and never sees a test image.
"""
