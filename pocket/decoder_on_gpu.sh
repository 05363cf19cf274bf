#!/bin/sh
# Train the pocket decoder on a machine with a GPU (pocket/README.md).
#
# From a clone that has pocket/build/xtts/{config.json,vocab.json,mel_stats.pth,speaker.pt,voices.pt,latents.pt}: speaks the sentences of
# latents.pt again, makes the targets and trains. Killed, it goes on where it was. Needs espeak-ng and wspanish, as `make pocket` does.
# Writes pocket/build/xtts/decoder.pt and decoder.jsonl: copy them back to the same place, and `make pocket` goes on from there.
set -eu
cd "$(dirname "$0")/.."
build=pocket/build
corpus=$build/decoder_corpus # beside a whole corpus, whose manifest stays as it is; sentences already there are kept
words=${WORDS:-/usr/share/dict/spanish}

python3 -m pocket.corpus.build $corpus --words "$words" --only $build/xtts/latents.pt --jobs "$(nproc)"
[ $build/xtts/targets.pt -nt $build/xtts/latents.pt ] || python3 -m pocket.xtts.targets $corpus $build/xtts --threads "$(nproc)"
python3 -m pocket.xtts.train_decoder $build/xtts --device cuda --steps 24000 "$@"
