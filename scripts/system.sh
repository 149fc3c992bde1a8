#!/usr/bin/env bash
# Have what the tests want from the system: a browser for pages, bubblewrap for programs that models wrote, curl.
# Without them those tests skip, with the reason.
set -u
wanted=()
command -v chromium >/dev/null || wanted+=(chromium)
command -v bwrap >/dev/null || wanted+=(bubblewrap)
command -v curl >/dev/null || wanted+=(curl)
[ ${#wanted[@]} = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q >/dev/null && apt-get install -yq --no-install-recommends "${wanted[@]}" >/dev/null
fi
for package in "${wanted[@]}"; do
    command -v "${package/bubblewrap/bwrap}" >/dev/null || echo "no $package: its tests will skip (apt-get install $package)"
done
exit 0
