# The part of scripts/setup that builds the page with node. Knows nothing of Python; what is built
# needs no node to be served.
# shellcheck shell=bash

page() {
  local key
  key=$(hash_of package.json package-lock.json)
  if ! stamped node_modules/.made "$key"; then
    need_node
    step "installing what the page is built with" npm ci --ignore-scripts --no-audit --no-fund \
      --no-update-notifier --loglevel=error
    echo "$key" >node_modules/.made
  fi
  local out=backend/tokenwire/web/page
  key=$(hash_of frontend scripts/build.mjs package.json package-lock.json)
  if [[ ! -f $out/index.html ]] || ! stamped node_modules/.page "$key"; then
    need_node
    step "building the page" node scripts/build.mjs
    echo "$key" >node_modules/.page
  fi
}

need_node() {
  local major
  major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) || major=none
  [[ $major =~ ^[0-9]+$ ]] && ((major >= 20)) \
    || die "Node 20 or newer is needed to build the page, and this machine has $major: install it."
  command -v npm >/dev/null \
    || die "npm is needed to build the page, and this machine has none: install it."
}
