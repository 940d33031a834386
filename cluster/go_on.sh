#!/usr/bin/env bash
#
# Begins a search on the cluster that this machine is part of, or goes on with it if it was begun: what tries again after
# anything was lost calls it again as it is. A search that is finished is a success, one that is damaged a failure.
#
#     cluster/go_on.sh RESULTS NAME [OPTIONS OF A NEW SEARCH]
#
# RESULTS is a folder that all nodes share, or a URL such as s3://BUCKET/PREFIX.
#
# Its process is the search's own, and can be told to stop with SIGTERM: its id is left in $PID_FILE, if that is set.
set -euo pipefail

results=$1 name=$2
shift 2
state=$(python -m searchspace.storage.folder_contents "$results" "$name")
if [[ $state == begun ]]; then
    # Of a search at a URL, the record is not believed whose code to run and which database to open: both are named again.
    again=() previous=""
    for word in "$@"; do
        [[ $previous != --space && $previous != --storage ]] || again+=("$previous" "$word")
        [[ $word != --space=* && $word != --storage=* ]] || again+=("$word")
        previous=$word
    done
    set -- --resume "$name" "${again[@]}"
else
    set -- --name "$name" "$@"
fi
[[ -z ${PID_FILE:-} ]] || echo $$ > "$PID_FILE"
exec python -m searchspace.run --address auto --results "$results" "$@"
