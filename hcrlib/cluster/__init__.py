"""Runs on many processes and machines, for `hcr sweep`, `hcr claims` and `hcr tune`.

client      plans the order, hands jobs to a Dask cluster, takes back the outcomes
backend     that cluster: at an address, or of local processes
jobs        what client and workers tell each other
worker      one attempt at a job: in a folder and a process of its own, within limits
forkserver  the process that has imported what notebooks need and forks one for each job
kernel      a notebook in that process, with a forked kernel
inputs      what a run reads, identified by its hash, and sent to workers that lack it
results     the runs' folders: locks, and what came back, written; nothing else writes results/
estimate    how long runs will take, from earlier records
progress    the display while runs are made
"""
