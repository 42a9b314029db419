#!/usr/bin/env bash
# Tunes adapters for two small real tasks on the built-in backbone, scores them and the linear probes on images that the
# tuning never saw, and switches between the two adapter files. Usage: examples/demo.sh EDGEADAPT OUTDIR [BACKBONE]
set -euo pipefail

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
  echo "usage: $0 EDGEADAPT OUTDIR [BACKBONE]" >&2
  exit 2
fi
bin=$1
out=$2
backbone=(${3:+--backbone "$3"}) # a ViT or Swin of your own instead of the built-in one
late=(--blocks 7-12)
[ $# -lt 3 ] || late=() # another backbone may have fewer blocks: then all of them
data=$(dirname "$0")/data
mkdir -p "$out"
began=$SECONDS

# tune TASK SIZE VAL OPTIONS...: the probe and the adapter, on the same pixels and images; OPTIONS are the adapter's.
tune() {
  local task=$1 common=(--size "$2" --val "$3" "${backbone[@]}")
  shift 3
  echo
  echo "== $task: linear probe"
  "$bin" tune "$data/$task" -o "$out/$task.probe.safetensors" --method linear "${common[@]}" 2>"$out/$task.probe.log"
  echo
  echo "== $task: adapter"
  "$bin" tune "$data/$task" -o "$out/$task.safetensors" "${common[@]}" --curves "$out/$task.png" "$@"
}

# top1 TASK ADAPTER: accuracy on the test images, in percent.
top1() {
  "$bin" eval "$data/$1" --split test --adapter "$2" "${backbone[@]}" --json 2>>"$out/eval.log" |
    sed -n 's/^  "top1": \([0-9.e-]*\),*$/\1/p' | awk '{ printf "%.1f", 100 * $1 }'
}

: >"$out/eval.log"
# All 600 images of clothes train, and the last epoch counts, as in the paper; textile holds some out to choose the epoch,
# and keeps the probe where no epoch beats it.
tune clothes 56 0 --epochs 15
tune textile 84 0.15 --epochs 10 "${late[@]}"

echo
echo "== one backbone, two adapter files: switching is naming another file"
predict() {
  local task=$1 dir images=() files
  for dir in "$data/$task"/test/*/; do
    files=("$dir"*)
    images+=("${files[0]}")
  done
  echo
  echo "\$ edgeadapt predict IMAGE... --adapter $out/$task.safetensors --top-k 1"
  "$bin" predict "${images[@]}" --adapter "$out/$task.safetensors" "${backbone[@]}" --top-k 1
}
predict textile
predict clothes

echo
echo "== accuracy on unseen images (test/, top-1)"
{
  printf 'task\tlinear probe\tadapter\tadapter file\n'
  for task in clothes textile; do
    printf '%s\t%s %%\t%s %%\t%s kB\n' "$task" "$(top1 $task "$out/$task.probe.safetensors")" "$(top1 $task "$out/$task.safetensors")" \
      "$(($(wc -c <"$out/$task.safetensors") / 1000))"
  done
} | awk -F'\t' '{ printf "%-10s %-14s %-10s %s\n", $1, $2, $3, $4 }'
echo
echo "curves: $out/clothes.png $out/textile.png"
echo "took $((SECONDS - began)) s"
