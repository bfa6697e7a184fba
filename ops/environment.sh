# Makes or mends the environment that ./run works in. Sourced by it, and only when there is work;
# uses its $root $venv $shown $py $stamp $sums $level $one, its say, die, ready.
# shellcheck shell=sh disable=SC2154  # those variables are set there

#: Seconds to wait for another call that makes the same environment.
MAX_WAIT_SECONDS=900
#: Seconds after which a lock without an owner counts as left behind.
OWNERLESS_SECONDS=5
#: Lines of the log that an error shows.
TAIL_LINES=15

#: The version that FunASR was tested with; it is in no lock, since its build depends on the machine.
TORCH='torch==2.13.0'

remedy='set CHORDSCRIBE_VENV to a folder of your own'
log=$venv/setup.log
lock=$venv/setup.lock

# Print process $1's id and start time; print nothing when it is gone.
identity() {
  if [ -r "/proc/$1/stat" ]; then
    read -r line 2>/dev/null <"/proc/$1/stat" || return 0
    # shellcheck disable=SC2086  # the fields are to be split
    set -- "$1" ${line##*) }
    printf '%s %s\n' "$1" "${21}"
  else
    ps -o pid=,lstart= -p "$1" 2>/dev/null || :
  fi
}

# Say whether the process noted in file $1 of the lock runs: the call itself, or its installer,
# which goes on for a while when the call was killed.
runs() {
  noted=$(cat "$lock/$1" 2>/dev/null) && [ -n "$noted" ] || return 1
  [ "$(identity "${noted%% *}")" = "$noted" ]
}

left_behind() {
  if [ "$waited" -lt "$OWNERLESS_SECONDS" ] && ! [ -s "$lock/owner" ]; then return 1; fi
  ! runs owner && ! runs installer
}

# Remove a lock whose owner is gone. Only one call at a time can, and it looks again.
break_lock() {
  if mkdir "$lock/broken" 2>/dev/null; then
    if left_behind; then rm -rf "$lock"; else rmdir "$lock/broken"; fi
  fi
}

take_lock() {
  waited=0
  missing=0
  until mkdir "$lock" 2>/dev/null; do
    [ -w "$venv" ] || die "cannot write to $shown: $remedy"
    if ! [ -e "$lock" ]; then # given back this moment, or the disk is full
      missing=$((missing + 1))
      [ "$missing" -lt "$OWNERLESS_SECONDS" ] || die "cannot make $lock"
    elif left_behind; then
      break_lock
    elif [ "$waited" -eq 1 ]; then
      say "waiting for another call that sets up $shown …"
    fi
    if [ "$waited" -ge "$MAX_WAIT_SECONDS" ]; then
      die "another call has been setting up $shown for too long: end it, or delete $lock"
    fi
    sleep 1
    waited=$((waited + 1))
  done
  trap free_lock EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  identity $$ >"$lock/owner"
}

child=
free_lock() {
  if [ -n "$child" ]; then
    kill "$child" 2>/dev/null || :
    wait "$child" 2>/dev/null || :
  fi
  rm -rf "$lock"
  trap - EXIT HUP INT TERM
}

# Run an installer's command in the checkout without the caller's wishes for other environments,
# and keep what it prints in the log. A signal ends it with us.
logged() {
  (
    unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_REQUIREMENT PIP_CONSTRAINT PIP_EDITABLE
    unset PIP_NO_DEPS PIP_DRY_RUN PIP_IGNORE_INSTALLED PIP_NO_BUILD_ISOLATION PIP_REPORT
    unset UV_PYTHON UV_SYSTEM_PYTHON UV_CONSTRAINT UV_OVERRIDE UV_REQUIRE_HASHES
    export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0
    cd "$root" && exec "$@"
  ) >>"$log" 2>&1 </dev/null &
  child=$!
  identity "$child" >"$lock/installer"
  status=0
  wait "$child" || status=$?
  child=
  return "$status"
}

fail() {
  tail -n "$TAIL_LINES" "$log" | sed 's/^/  /' >&2
  die "$* (all of it: $log)"
}

PROBE='
import sys
print("%d.%d" % sys.version_info[:2])
import importlib.util
sys.exit(sys.version_info < (3, 11) or importlib.util.find_spec("venv") is None)
'

# Print the version of Python $1 as 3.11; fail when it does not run, is older, or has no venv.
version_of() { "$1" -c "$PROBE" 2>/dev/null </dev/null; }

# Set $python and $version to the newest Python that runs (a version manager's shim may not).
find_python() {
  if [ -n "${CHORDSCRIBE_PYTHON:-}" ]; then
    set -- "$CHORDSCRIBE_PYTHON"
  else
    set -- python3.14 python3.13 python3.12 python3.11 python3 python
  fi
  unfit=
  for python in "$@"; do
    if version=$(version_of "$python"); then return 0; fi
    if [ -n "$version" ]; then unfit="$unfit; $python is $version"; fi
  done
  if [ "$installer" = uv ]; then # it finds or fetches one
    python=
    version='from uv'
    return 0
  fi
  say "needs Python 3.11 or newer with its venv module, and finds none on PATH$unfit."
  die "install it (Debian, Ubuntu: apt install python3.11-venv; macOS: brew install python@3.11)," \
    "or name one by CHORDSCRIBE_PYTHON"
}

# Make an environment without packages. What an interrupted call left is removed before.
make_venv() {
  find_python
  say "setting up $shown (python $version, $installer) …"
  : >"$log"
  for part in bin lib lib64 include share pyvenv.cfg "${stamp##*/}" "${stamp##*/}.old"; do
    rm -rf "${venv:?}/$part"
  done
  if [ -n "$python" ]; then
    logged "$python" -m venv --without-pip "$venv" || fail "$python cannot make an environment"
  else
    logged uv venv --no-project --allow-existing --python '>=3.11' "$venv" ||
      fail 'needs Python 3.11 or newer: uv neither finds nor fetches one'
  fi
}

# Install level $1 by the pip of the environment, or by another's that can serve it.
install_by_pip() {
  set -- install --disable-pip-version-check --no-input -e ".[$1]" -c constraints.txt
  if logged "$py" -m pip --version || logged "$py" -m ensurepip --default-pip; then
    logged "$py" -m pip "$@"
    return
  fi
  for outer in "${python:-python3}" python3 python; do
    if logged "$outer" -m pip --python "$py" --version; then
      logged "$outer" -m pip --python "$py" "$@"
      return
    fi
  done
  problem='needs pip or uv to install its packages (Debian, Ubuntu: apt install python3-venv)'
  return 1
}

# Install level $1. Where uv cannot (it does not read pip's configuration), pip may.
install() {
  if [ "$installer" = uv ]; then
    # Compiled now, since whoever runs it may be unable to write here.
    if logged uv pip install --compile-bytecode --python "$py" -e ".[$1]" -c constraints.txt; then
      return 0
    fi
    say 'uv could not install the packages; trying pip …'
  fi
  install_by_pip "$1"
}

# Install torch unless it is there: the plain build, which brings CUDA, where there is an NVIDIA
# driver, else a CPU build. Only uv knows where those are; pip takes what its index has.
install_torch() {
  if logged "$py" -c 'import torch'; then return; fi
  if [ -e /proc/driver/nvidia/version ]; then backend=auto; else backend=cpu; fi
  for uv in uv "$venv/bin/uv"; do
    if "$uv" --version >/dev/null 2>&1 &&
      logged "$uv" pip install --python "$py" --torch-backend="$backend" "$TORCH"; then
      return 0
    fi
  done
  logged "$py" -m pip install --disable-pip-version-check --no-input "$TORCH"
}

# Install the extras $@ into an environment that is ready.
add_extras() {
  take_lock
  ready demo || die "$shown has just changed: call again"
  if uv --version >/dev/null 2>&1; then installer=uv; else installer=pip; fi
  extras=$level
  for extra in "$@"; do
    case $extra in *[!a-z-]* | '') die "'$extra' is no extra of pyproject.toml" ;; esac
    extras=$extras,$extra
  done
  say "adding $* to $shown ($installer) …"
  : >"$log"
  case ,$extras, in *,funasr,*) install_torch || fail 'torch could not be installed' ;; esac
  problem=
  install "$extras" || fail "${problem:-the packages could not be installed}"
  free_lock
}

# Make the environment serve level $1, or end with a reason.
set_up() {
  mkdir -p "$venv" 2>/dev/null || die "cannot make $shown: $remedy"
  take_lock
  if ready "$1"; then # the call that we waited for did the work
    free_lock
    return
  fi
  case $level in dev) set -- dev ;; esac
  case $one in *" $root/pyproject.toml") moved=false ;; *) moved=true ;; esac
  if uv --version >/dev/null 2>&1; then installer=uv; else installer=pip; fi
  if [ "$moved" = false ] && [ -x "$py" ]; then
    say "updating $shown ($installer) …"
    : >"$log"
  elif [ -e "$log" ]; then # ours, but not complete, without its Python, or moved
    make_venv
  elif [ -e "$venv/pyvenv.cfg" ]; then
    version_of "$py" >/dev/null || die "$shown is an environment of an older Python: remove it"
    say "installing into $shown, which is there ($installer) …"
  elif [ "$(ls -A "$venv")" = "${lock##*/}" ]; then
    make_venv
  else
    die "$shown is neither empty nor a Python environment: $remedy"
  fi
  # Without a stamp the next call begins anew, so an interrupted installation is never trusted.
  if [ -e "$stamp" ]; then mv "$stamp" "$stamp.old"; fi
  problem=
  if ! install "$1"; then
    if [ -e "$stamp.old" ]; then mv "$stamp.old" "$stamp"; fi
    if [ -n "$problem" ]; then die "$problem"; fi
    fail 'the packages could not be installed'
  fi
  printf '%s\npython %s\n%s\n' "$1" "$(version_of "$py")" "$sums" >"$stamp.new"
  mv "$stamp.new" "$stamp"
  rm -f "$stamp.old"
  free_lock
}
