"""Runs on many processes and machines, for `hcr sweep`, `hcr claims` and `hcr tune`.

client      plans the order, hands jobs to a Dask cluster, takes back the outcomes
backend     the cluster: at an address, or made of local processes
jobs        the messages between client and workers
worker      one attempt at a job: in a folder and a process of its own, within limits
forkserver  the process that has imported what notebooks need and forks one for each job
kernel      a notebook in that process, with a forked kernel
inputs      the data that a run reads, identified by hash, and sent to workers that lack it
results     the runs' folders: locks them and writes what workers return; nothing else writes results/
estimate    how long runs will take, from earlier records
progress    the progress display
"""
