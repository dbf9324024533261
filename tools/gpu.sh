#!/usr/bin/env bash
# Train recipes side by side on one GPU, for a limited time: tools/gpu.sh SECONDS FOLDER RECIPE...
# The same command continues. Of each recipe FOLDER/RECIPE holds the run, FOLDER/RECIPE.log what it printed, and $OUT (FOLDER/out
# if it is not set) one archive: the run and its history, or what it has so far, and its newest checkpoint if both fit in 16 MiB.
# Environment: DEVICE (cuda), PROFILE (full), PRECISION (bfloat16), PYTHON (python), and GMLIB_DATA for the MNIST files.
set -euo pipefail
if [ $# -lt 3 ] || ! [[ $1 =~ ^[0-9]+$ ]]; then
  echo "gpu.sh: got '$*', expected SECONDS FOLDER RECIPE..., such as: tools/gpu.sh 540 runs/gpu wgan_gp wgan" >&2
  exit 2
fi
seconds=$1 folder=$2
shift 2
out=${OUT:-$folder/out} python=${PYTHON:-python} limit=$((16 * 1024 * 1024)) failed=0
mkdir -p "$folder" "$out"

train() {  # Ctrl-C after the time, so that the run ends with a checkpoint
  OMP_NUM_THREADS=1 timeout --signal=INT --kill-after=30 "$seconds" \
    "$python" -c 'from gmlib_cli import main; main()' train "$1" --profile "${PROFILE:-full}" --device "${DEVICE:-cuda}" \
    --precision "${PRECISION:-bfloat16}" --out "$folder/$1" --resume >"$folder/$1.log" 2>&1
}

declare -A process
for recipe in "$@"; do
  train "$recipe" &
  process[$recipe]=$!
done
for recipe in "$@"; do
  status=0
  wait "${process[$recipe]}" || status=$?
  case $status in
    0) echo "$recipe: done" ;;
    124) echo "$recipe: stopped after $seconds s: $(tail -n 1 "$folder/$recipe.log")" ;;
    *)
      echo "$recipe: failed with status $status: $(tail -n 1 "$folder/$recipe.log")" >&2
      failed=1
      ;;
  esac
  [ -d "$folder/$recipe" ] || continue
  (
    cd "$folder/$recipe"
    small=$(find . -maxdepth 1 \( -name '*.safetensors' -o -name history.csv \))
    newest=$(find . -maxdepth 1 -name 'checkpoint-[0-9]*.pt' | sort | tail -n 1)
    [ -z "$newest" ] || [ "$(cat $small "$newest" | wc -c)" -le $limit ] || newest=
    tar -cf - $small $newest
  ) >"$out/$recipe.tar"
done
exit $failed
