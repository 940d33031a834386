#!/usr/bin/env bash
# Stands for Slurm's srun: runs a command on the nodes in $SLURM_STUB_NODES, this one first, with this environment and folder, and
# ends the other tasks after the first that ended. Its options are dropped.
set -uo pipefail
while [[ $1 == --* ]]; do shift; done

line="cd $PWD; $(export -p); exec$(printf ' %q' "$@")"
read -ra nodes <<< "$SLURM_STUB_NODES"
there=(ssh -q -o StrictHostKeyChecking=no)
bash -c "$line" &
for node in "${nodes[@]:1}"; do
    "${there[@]}" "$node" "$line" &
done
wait -n
code=$?
for node in "${nodes[@]:1}"; do
    "${there[@]}" "$node" "pkill -KILL -f '[r]ay'"
done
wait
exit "$code"
