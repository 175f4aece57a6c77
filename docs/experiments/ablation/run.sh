#!/usr/bin/env bash
# The ablation behind the tables in this folder: two runs at once, a core each. Finished runs stand in results.csv and
# are not done again, interrupted ones go on; what is finished is committed every ten minutes.
# Usage, from the project's root: docs/experiments/ablation/run.sh ROADS RUNS [GRID ...]
#   ROADS: labelled real roads in CULane's layout; RUNS: folder for the runs, outside of the repository or ignored by it
set -euo pipefail
roads=$1 runs=$2
shift 2
here=docs/experiments/ablation
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
# One arena that grows and is not given back: 15 % faster on a CPU.
export MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=2000000000 MALLOC_TOP_PAD_=268435456

commit() {
  git add "$here"
  git commit --quiet --message "Ablation: finished runs" -- "$here" || true
}
(while sleep 600; do commit; done) &
trap 'kill $!; commit' EXIT

for grid in "${@:-starts paths methods}"; do
  for name in $grid; do
    python -m lanenet_sad ablate "$name" --root "$roads" --out "$here/$name" --runs "$runs" \
      --results "$here/results.csv" --jobs 2 || echo "$name: some runs failed"
  done
done
