"""Runs on many processes and machines: what `hcr sweep`, `hcr claims` and `hcr tune` have in common.

client    plans the order, hands runs to a Dask cluster, takes back what comes
engine    that cluster: of an address, or of this machine's processes
store     what came back, written: nothing else writes results/
attempt   one try at one run, on a worker: in a folder of its own, by a process of its own, within limits
launcher  the process that has loaded what notebooks need, and forks one for each run
inputs    what a run reads, named by hash, and sent to workers that lack it
leases    of two clients on one results/ folder, which one makes a run
estimate  how long runs will take, by those that there are
live      what a person sees meanwhile
"""
