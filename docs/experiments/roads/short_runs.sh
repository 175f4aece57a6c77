#!/usr/bin/env bash
# Short runs that compare one thing at a time: two at once, one core each. Finished runs are skipped, so it may be
# started again. Usage: short_runs.sh REAL_ROOT RENDERED_ROOT OUT
set -euo pipefail
real=$1 rendered=$2 out=$3
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
export MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=2000000000 MALLOC_TOP_PAD_=268435456

run() { # name, seed, share of rendered roads, further options
  local name=$1 seed=$2 share=$3 mix="[]" shares="[]"
  shift 3
  [ -f "$out/$name/best.safetensors" ] && return
  rm -rf "${out:?}/$name"
  if [ "$share" != 0 ]; then
    mix="[{\"class_path\":\"lanenet_sad.datasets.CULane\",\"init_args\":{\"root\":\"$rendered\"}}]" shares="[$share]"
  fi
  python -m lanenet_sad train --config roads_enet_sad --root "$real" --out "$out/$name" --seed "$seed" \
    --mix="$mix" --mix-shares="$shares" --view.input-size 112 320 --schedule.max-steps 400 --cadence.validate-every 400 --ema-decay 0.98 \
    --runtime.num-workers 1 --runtime.progress=false "$@" >"$out/$name.log" 2>&1
}

mkdir -p "$out"
(
  run sad_0 0 0.5
  run none_1 1 0.5 --distillation="[]"
  run sad_2 2 0.5
  run mostly_rendered_0 0 0.75
) &
run none_0 0 0.5 --distillation="[]"
run sad_1 1 0.5
run none_2 2 0.5 --distillation="[]"
run real_only_0 0 0
wait
