# The part of scripts/setup that finds the page's tests a browser. It never stops a set-up: without
# a browser those tests fail, and say so.
# shellcheck shell=bash

browser() {
  local root=()
  command -v chromium >/dev/null && fc-match "DejaVu Sans" 2>/dev/null | grep -q DejaVu && return
  ((EUID == 0)) || root=(sudo -n)
  if ! command -v apt-get >/dev/null || ! "${root[@]}" true 2>/dev/null; then
    say "the page's tests need Chromium and will fail without it:" \
      "install chromium and fonts-dejavu-core."
    return
  fi
  step "installing Chromium, for the page's tests" install_browser "${root[@]}"
}

install_browser() {
  "$@" apt-get update -qq >/dev/null \
    && "$@" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      chromium fonts-dejavu-core fontconfig >/dev/null \
    || say "Chromium could not be installed; the page's tests will fail."
}
