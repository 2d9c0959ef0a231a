"""`make bench`: skitaid beside its peers, on one machine, in one run. docs/performance.md tells how and what."""
