"""The archive room: items, their embeddings, and how they are searched.

`port` says what an archive can do; `edge` keeps it in this process, `qdrant` in a Qdrant server. Everything that a
reader would call search (ties, grouping by patient, exclusion) is domain code in `search`, the same for both stores.
Conditions are one small tree in `conditions`, and only the adapters know how a store spells them. Only modules named
`edge*` import `qdrant_edge`, only those named `qdrant*` import `qdrant_client` and `grpc`.
"""
