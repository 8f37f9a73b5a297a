"""From encoded bytes to the model's input: the only room that decodes images.

Untrusted bytes are decoded in child processes (`sandbox`), never in the process that asks. The recipe that turns pixels
into the model's input is data (`preprocessing`), stored with the model. Every rule that decides a pixel's value belongs
here; change one, and `preprocessing.DECODING_RULES` must change with it.
"""
