#!/usr/bin/env bash
# Stands for Slurm's srun: runs a command on the nodes in $SLURM_STUB_NODES, this one first, with this environment and
# folder. When a task ends badly the others are killed; its code is the first bad one. Its options are dropped.
set -uo pipefail
while [[ $1 == --* ]]; do shift; done

line="cd $PWD; $(export -p); exec$(printf ' %q' "$@")"
read -ra nodes <<< "$SLURM_STUB_NODES"
there=(ssh -q -o StrictHostKeyChecking=no)
bash -c "$line" &
for node in "${nodes[@]:1}"; do
    "${there[@]}" "$node" "$line" &
done
bad=0
for _ in "${nodes[@]}"; do
    code=0
    wait -n || code=$?
    if ((code > 0 && bad == 0)); then
        bad=$code
        for node in "${nodes[@]:1}"; do
            "${there[@]}" "$node" "pkill -KILL -f '[r]ay'"
        done
    fi
done
exit "$bad"
