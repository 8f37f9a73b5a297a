"""The figures of the paper's supplement, drawn from what a running service answers.

A client like any other: embeddings, rankings and maps come over the SDK. Figures S1 and S2 are `tsne`, S3 and S6 the
`grid` of a model, S4, S5, S7 and S8 the `control` of random weights, and `sanity` says in numbers how far both models'
maps are alike. `draw_figures` is the entrance; drawing needs the extra `lab`.
"""
