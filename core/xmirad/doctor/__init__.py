"""Looks at everything that the system depends on, and says what is wrong and what helps.

Each module holds the checks of one part; `examining` runs them side by side, each within a time limit. A check changes
nothing, opens no shard and shows no secret. Modules that need server packages are imported when their turn comes, so
the base install, which has none of them, passes those checks over.
"""
