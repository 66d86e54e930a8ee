"""Speed as a ratio beside peers, in one run: ``make bench``.

===============  ============================================================================
`inventories`    seeded inventories of any size, as numbers and as text; `dirt` spoils them
`given`          one inventory in a folder, in every form that a program takes it in
`contest`        the cases, their targets, and what an entry is
`ours`, `peers`  how vcokit and each peer answer the cases
`agreement`      answers compared, before anything is timed
`timing`         interleaved rounds; `child` one entry in a process of its own, for its memory
`beside`         every case of ours and its peers
`shapes`         what skew, order and dirt cost
`growth`         what ten times the rows cost
`report`         tables and ``out/bench.json``; `picture` draws, `readme` fills the README's table
===============  ============================================================================
"""
