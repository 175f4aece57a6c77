#!/usr/bin/env bash
# Scores a weight file on real roads, on hand-labelled frames of clips and on rendered roads.
# Usage: score.sh REAL_ROOT VIDEOS_DIR OUT [WEIGHTS]   (default: the weights that ship)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
real=$1 videos=$2 out=$3
options=(--canvas-width 1640 --device cpu --no-progress ${4:+--weights "$4"})

evaluate() { # name, then the words of `lanenet-sad evaluate culane`
  echo "== $1"
  lanenet-sad evaluate culane --out "$out/$1" "${@:2}" "${options[@]}" | grep -v '^wrote'
}

[ -d "$out/clip_frames" ] || python "$here/clip_frames.py" "$videos" "$out/clip_frames"
lanenet-sad synthesize "$out/rendered" --num-train 0 --num-val 0 --num-test 400 --image-size 295 820 --seed 2 --no-masks \
  --no-progress
evaluate real --root "$real" --split val --group-folders 2
evaluate real_ego --root "$real" --split val --group-folders 2 --slots 2 3
evaluate clips --root "$out/clip_frames" --split all --group-folders 1
evaluate clips_ego --root "$out/clip_frames" --split all --group-folders 1 --slots 2 3
evaluate clips_unseen --root "$out/clip_frames" --split unseen --group-folders 1
evaluate clips_unseen_ego --root "$out/clip_frames" --split unseen --group-folders 1 --slots 2 3
evaluate rendered --root "$out/rendered" --split test
evaluate rendered_ego --root "$out/rendered" --split test --slots 2 3
