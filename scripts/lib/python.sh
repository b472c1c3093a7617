# The part of scripts/setup that makes .venv: which Python, which device, which lock, and pip. Knows
# nothing of the page.
# shellcheck shell=bash

minor_of() { "$1" -I -S -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# A half-made environment is not repaired but made anew: pip takes a package for installed that it
# was interrupted in.
python_environment() {
  local device lock key
  device=$(device_for_vllm)
  lock=requirements/$device.txt
  key="$device $(hash_of requirements/"$device"*.txt)"
  if [[ -e .venv/.busy ]] || other_python_wanted \
    || ! stamped .venv/.made "$key $(minor_of .venv/bin/python)"; then
    find_python
    enough_disk "$device"
    make_environment "$device" "$lock"
    echo "$key $(minor_of .venv/bin/python)" >.venv/.made
  fi
  # A path file and not PYTHONPATH, because vLLM's fork server on Python 3.11 starts with neither
  # our sys.path nor our arguments.
  local path
  path=$(echo .venv/lib/python3.*/site-packages)/tokenwire.pth
  stamped "$path" "$PWD/backend" || echo "$PWD/backend" >"$path"
}

device_for_vllm() {
  local made=""
  [[ -f .venv/.made ]] && read -r made _ <.venv/.made
  if [[ -n ${TOKENWIRE_DEVICE:-} ]]; then
    [[ $TOKENWIRE_DEVICE == cpu || $TOKENWIRE_DEVICE == cuda ]] \
      || die "TOKENWIRE_DEVICE is '$TOKENWIRE_DEVICE' but can only be cpu or cuda."
    echo "$TOKENWIRE_DEVICE"
  elif [[ $made == cuda ]] || nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then
    echo cuda
  else
    echo cpu
  fi
}

other_python_wanted() {
  [[ -n ${TOKENWIRE_PYTHON:-} ]] \
    && [[ $(minor_of "$TOKENWIRE_PYTHON") != "$(minor_of .venv/bin/python)" ]]
}

# Sets python to one that can make an environment. The machine's own comes first, because it is the
# one that people install python3-venv for.
find_python() {
  local minor fits="" candidates=(python3 python3.12 python3.13 python3.11)
  [[ -z ${TOKENWIRE_PYTHON:-} ]] || candidates=("$TOKENWIRE_PYTHON")
  for python in "${candidates[@]}"; do
    minor=$(minor_of "$python") && [[ $minor =~ ^3\.1[123]$ ]] || continue
    "$python" -I -c 'import ensurepip, venv' 2>/dev/null && return
    fits=$minor
  done
  [[ -z $fits ]] || die "Python $fits here has no venv module: install it" \
    "(Debian and Ubuntu: apt-get install python$fits-venv)."
  die "Python 3.11, 3.12 or 3.13 is needed, and ${candidates[*]} is none: install one," \
    "or name it in TOKENWIRE_PYTHON."
}

enough_disk() {
  local need=5 free
  [[ $1 == cuda ]] && need=20
  free=$(($(df -Pk . | awk 'END { print $4 }') / 1048576))
  ((free >= need)) \
    || die "Setting up needs $need GB of free disk here, and there are $free: make room in $PWD."
}

make_environment() { # make_environment DEVICE LOCK
  local what="the CPU" size="400 MB"
  [[ $1 == cuda ]] && what="an NVIDIA GPU" size="5 GB"
  say "setting up for $what with $($python --version); this is done once."
  rm -rf .venv
  step "making .venv" "$python" -m venv .venv
  [[ $1 == cuda ]] || step "installing PyTorch for the CPU (180 MB)" torch_for_cpu
  step "installing vLLM and the rest of $2 ($size)" pip_install --require-hashes -r "$2"
  step "compiling" compile_all
}

# Quiet where nobody watches; pip's own progress on a terminal.
pip_install() {
  local quiet=(-qq)
  [[ -t 1 ]] && quiet=(--progress-bar on)
  .venv/bin/python -m pip --disable-pip-version-check install "${quiet[@]}" \
    --no-input --no-compile --no-deps --only-binary :all: "$@"
}

# Apart from pip, which would do it on one core. A few packages ship files that do not compile.
compile_all() { .venv/bin/python -m compileall -qq -j 0 .venv/lib || true; }

# PyPI's torch is the CUDA build; the CPU build is on PyTorch's own index or, where a machine has
# been given one, on the index that its pip is configured for.
torch_for_cpu() {
  local file=requirements/cpu-torch.txt
  pip_install -r $file 2>/dev/null \
    || pip_install --index-url https://download.pytorch.org/whl/cpu -r $file
}

test_environment() {
  local key
  key=$(hash_of requirements/test.txt .venv/.made)
  stamped .venv/.tests "$key" && return
  touch .venv/.busy
  step "installing what the tests need" pip_install --require-hashes -r requirements/test.txt
  step "compiling" compile_all
  rm .venv/.busy
  echo "$key" >.venv/.tests
}
