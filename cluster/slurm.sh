#!/usr/bin/env bash
#
# A search on a Slurm cluster, from the folder of this project, which all nodes share, its .venv included:
#
#     sbatch cluster/slurm.sh first --trials 256 --data /datasets/flowers
#
# The first argument names the search; the others are those of `python -m searchspace.run`. Two minutes before the time
# is over, every trial finishes its epoch and is saved, and the job goes back into the queue. There it goes on from what
# is recorded, as it does after a preemption or when a node was lost. Options of sbatch come before the script's name.
#
#SBATCH --job-name=searchspace
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
# Nobody else's job: what ends this one's Ray on a node ends all of its user's there.
#SBATCH --exclusive
#SBATCH --gpus-per-node=8
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

name=${1:?the name of the search comes first}
shift
results=${SEARCHSPACE_RESULTS:-results}
ending="" running=""

# Its first node is Ray's head. This script runs there, so what it calls itself is the address; give HEAD_ADDRESS where
# the first of a node's addresses is not on the network that the nodes should use.
address=${HEAD_ADDRESS:-$(hostname -I | cut -d ' ' -f 1)}
port=$((20000 + SLURM_JOB_ID % 10000))

# Ray lets in who shows the token: new for each start, and readable for the job's owner alone.
private=$PWD/.slurm-$SLURM_JOB_ID
trap 'rm -rf "$private"' EXIT
rm -rf "$private"
(umask 077 && mkdir "$private" && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$private/token")
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$private/token
export SEARCHSPACE_CACHE=${SEARCHSPACE_CACHE:-$PWD/cache}
export PID_FILE=$private/pid # where the search leaves its own
export RAY_USAGE_STATS_ENABLED=0
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=600 # seconds that nodes have to start

# shellcheck source=/dev/null
source .venv/bin/activate

# Slurm's signal comes here, and must reach the search alone: Ray has to live until all is saved. Before there is a
# search, everything may end.
trap 'ending=yes; kill -TERM "$(cat "$PID_FILE" 2> /dev/null || echo "$running")" 2> /dev/null || true' TERM

# What the search comes to is what the job comes to: after a good end the other nodes notice and end by themselves, in
# the seconds below; after a bad one they are ended.
export RAY_gcs_rpc_server_reconnect_timeout_s=15
srun --kill-on-bad-exit=1 --wait=90 \
    ray symmetric-run --address "$address:$port" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --resources '{"on_demand": 1000}' -- \
    bash cluster/go_on.sh "$results" "$name" "$@" &
running=$!

code=0
wait "$running" || code=$?
while kill -0 "$running" 2> /dev/null; do # a signal ended the wait, not the search
    code=0
    wait "$running" || code=$?
done

if [[ $ending && $code != 0 ]]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
