#!/usr/bin/env bash
# Builds the packages of the intram command twice, in two folders with other settings, and checks that both are the same bytes, that
# each is whole, and that the .deb installs, works and leaves nothing behind.
#
# What a machine cannot check (no dpkg, no rpm, no root) is skipped, saying why; when CI is true it fails.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
# A hook of Git has them, and they would win over the folder of the copy below.
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX
work=$(mktemp -d)
installed=false
server=
finish() {
  status=$?
  if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; fi
  if $installed; then "${asroot[@]}" dpkg --purge intram >/dev/null 2>&1 || true; fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT

fail() {
  echo "packages-check: $*" >&2
  exit 1
}
skip() { # why
  [[ ${CI-} != true ]] || fail "$*"
  echo "-- skipped: $*"
}
same() { # what, want, have
  [[ $2 == "$3" ]] || fail "$1: want '$2', have '$3'"
}
sum() { sha256sum "$1" | cut -d' ' -f1; }
checked() { echo "-- $*"; }
asroot=()
[[ $(id -u) -eq 0 ]] || asroot=(sudo)

goreleaser check --quiet
checked "the configuration is valid, and nothing in it is deprecated"

# The second one is a copy of the same commit and files, deeper down, under an umask that hides files from others.
scripts/packages.sh
commit=$(git rev-parse HEAD)
copy=$work/a/folder/elsewhere
git clone --quiet --no-checkout . "$copy"
git -C "$copy" update-ref --no-deref HEAD "$commit"
git ls-files -z --cached --others --exclude-standard --deduplicate |
  tar --null --files-from=- --ignore-failed-read --create 2>/dev/null |
  (umask 077 && tar --extract --no-same-permissions --directory="$copy")
(umask 077 && TZ=Pacific/Kiritimati LC_ALL=C "$copy/scripts/packages.sh" >"$work/second.log" 2>&1) ||
  { cat "$work/second.log"; fail "the second build failed"; }

cd dist
version=$(jq -r .version metadata.json)
when=$(TZ=UTC git show --no-patch --format=%cd --date='format-local:%Y-%m-%d %H:%M' HEAD)
mapfile -t shipped < <(find . -maxdepth 1 -name 'intram[-_]*' -type f -printf '%P\n' | LC_ALL=C sort)
same "number of files that are shipped" 16 "${#shipped[@]}" # six archives, six SBOMs, two .deb, two .rpm
for file in "${shipped[@]}" checksums.txt homebrew/Casks/intram.rb scoop/intram.json; do
  same "$file, built a second time" "$(sum "$file")" "$(sum "$copy/dist/$file")"
done
checked "two builds are the same bytes: ${#shipped[@]} files, checksums, cask and manifest"

sha256sum --quiet --strict --check checksums.txt
same "files with a checksum" "${shipped[*]}" "$(cut -c67- checksums.txt | LC_ALL=C sort | paste -sd' ')"
checked "the checksums are right, and every file has one"

pages=$(cd "$root/cmd/intram/man" && printf 'man/%s\n' *.1)
french=$(cd "$root/cmd/intram/man" && printf 'man/%s\n' fr/man1/*.1)
completions=(completions/_intram completions/intram.bash completions/intram.fish completions/intram.ps1)
for os in linux darwin windows; do
  for arch in amd64 arm64; do
    name=intram_${version}_${os}_${arch}
    mkdir "$work/$name"
    if [[ $os == windows ]]; then
      program=intram.exe
      python3 -m zipfile -e "$name.zip" "$work/$name"
    else
      program=intram
      tar -xzf "$name.tar.gz" -C "$work/$name"
      # Names and times; tar shows the owner and the mode first.
      odd=$(TZ=UTC tar -tvzf "$name.tar.gz" | grep -vE "^-rw(-r--r--|xr-xr-x) root/root +[0-9]+ $when " || true)
      same "$name.tar.gz: files of another owner, mode or time" "" "$odd"
    fi
    want=$(printf '%s\n' LICENSE NOTICE.md README.md "$program" "${completions[@]}" "$pages" "$french" | LC_ALL=C sort)
    same "$name: files" "$want" "$(cd "$work/$name" && find . -type f -printf '%P\n' | LC_ALL=C sort)"

    binary=$work/$name/$program
    info=$(go version -m "$binary")
    for setting in "GOOS=$os" "GOARCH=$arch" CGO_ENABLED=0 -trimpath=true; do
      [[ $info == *"	$setting"* ]] || fail "$name: was not built with $setting"
    done
    for place in "$root/" "$work"; do
      ! grep -aqF "$place" "$binary" || fail "$name: the binary has a path of the machine in it: $place"
    done
    printf '   %-30s %5.1f MB, %4.1f MB packed\n' "${name/_$version/}" \
      "$(($(stat -c %s "$binary") / 100000))e-1" "$(($(stat -c %s "$name".[tz]*) / 100000))e-1"

    # The modules of the SBOM are those of the binary, and Go's own.
    sbom=$name.cdx.json
    same "$sbom: format" CycloneDX "$(jq -r .bomFormat "$sbom")"
    same "$sbom: program" "github.com/intram/intram-go/cmd/intram v$version" "$(jq -r '.metadata.component | .name + " " + .version' "$sbom")"
    same "$sbom: components" "$( (awk '$1 == "dep" { print $2 }' <<<"$info"; echo std) | LC_ALL=C sort)" \
      "$(jq -r '.components[].name' "$sbom" | LC_ALL=C sort)"
  done
done
checked "each archive holds the program, the licences, its manual and its completions; each SBOM the modules of its program"

host=$work/intram_${version}_$(go env GOOS)_$(go env GOARCH)/intram
if [[ -x $host ]]; then
  same "version" "$version $commit" "$("$host" version --json | jq -r '.version + " " + .commit')"
  same "time of the commit" "$(git show --no-patch --format=%ct HEAD)" "$("$host" version --json | jq '.commit_time | fromdate')"
  same "--version" "intram version $version" "$("$host" --version)"
  checked "intram version: $version, of $commit"
else
  skip "intram version: there is no binary for $(go env GOOS)/$(go env GOARCH)"
fi

hashes() { # the pairs "file hash" of a description on stdin, by their order in it
  sed -e "s/#{version}/$version/g" | grep -oE '/intram_[^/"]+"|"[0-9a-f]{64}"' | tr -d '/"' | paste -d' ' - -
}
cask=homebrew/Casks/intram.rb
same "$cask: archives and hashes" \
  "$(for name in {darwin,linux}_{amd64,arm64}; do echo "intram_${version}_$name.tar.gz $(sum "intram_${version}_$name.tar.gz")"; done)" "$(hashes <$cask)"
same "$cask: man pages" "$pages" "$(sed -n 's/^ *manpage "\(.*\)"$/\1/p' $cask)"
same "$cask: completions" "completions/_intram completions/intram.bash completions/intram.fish" \
  "$(sed -n 's/^ *[a-z]*_completion "\(.*\)"$/\1/p' $cask | LC_ALL=C sort | paste -sd' ')"
if command -v ruby >/dev/null; then
  ruby -c $cask >/dev/null
else
  echo "-- no ruby here: the syntax of the cask is not checked"
fi
scoop=scoop/intram.json
same "$scoop: version" "$version" "$(jq -r .version $scoop)"
same "$scoop: archives and hashes" \
  "$(for arch in amd64 arm64; do echo "intram_${version}_windows_$arch.zip $(sum "intram_${version}_windows_$arch.zip")"; done)" \
  "$(jq -r '.architecture | (."64bit", .arm64) | (.url | split("/") | last) + " " + .hash' $scoop)"
same "$scoop: programs" "intram.exe intram.exe" "$(jq -r '[.architecture[].bin[]] | join(" ")' $scoop)"
checked "the Homebrew cask and the Scoop manifest name the archives and their hashes"

# Paths of the files in a package; its folders are not listed.
files() { # where the completion of zsh is, where the licence is
  printf '%s\n' /usr/bin/intram /usr/share/bash-completion/completions/intram /usr/share/doc/intram/NOTICE.md \
    /usr/share/doc/intram/README.md /usr/share/fish/vendor_completions.d/intram.fish "$1" "$2"
  sed 's,^man/\(.*\),/usr/share/man/man1/\1.gz,' <<<"$pages"
  sed 's,^man/\(.*\),/usr/share/man/\1.gz,' <<<"$french"
}

if command -v rpm >/dev/null; then
  for arch in amd64 arm64; do
    package=intram_${version}_linux_$arch.rpm
    rpm -K --nosignature "$package" >/dev/null
    same "$package: files" "$(files /usr/share/zsh/site-functions/_intram /usr/share/licenses/intram/LICENSE | LC_ALL=C sort)" \
      "$(rpm -qpl "$package" | LC_ALL=C sort)"
    same "$package: the program" "$(sum "$work/intram_${version}_linux_$arch/intram")" "$(rpm -qp --dump "$package" | awk '$1 == "/usr/bin/intram" { print $4 }')"
    same "$package: name, licence, build host" "intram MIT localhost" "$(rpm -qp --qf '%{NAME} %{LICENSE} %{BUILDHOST}' "$package")"
    same "$package: modes and owners" "0100644 root root,0100755 root root" "$(rpm -qp --dump "$package" | awk '{ print $5, $6, $7 }' | LC_ALL=C sort -u | paste -sd,)"
  done
  checked "the .rpm packages hold the files in their places"
else
  skip "there is no rpm here: the .rpm packages are not looked into"
fi

install() {
  local package=intram_${version}_linux_$(dpkg --print-architecture).deb want before folder file line url page completed
  [[ -f $package ]] || { skip "the .deb: there is none for $(dpkg --print-architecture)"; return; }
  if dpkg-query -W intram >/dev/null 2>&1; then
    fail "the package intram is installed here already: remove it first (dpkg --purge intram)"
  fi
  want=$(files /usr/share/zsh/vendor-completions/_intram /usr/share/doc/intram/copyright | LC_ALL=C sort)
  before=$(dpkg-deb --fsys-tarfile "$package" | tar -t | sed -n 's,^\./\(.*\)/$,/\1,p' | while read -r folder; do [[ ! -d $folder ]] || echo "$folder"; done)
  installed=true
  # Images of containers often tell dpkg to leave out manuals.
  "${asroot[@]}" dpkg --path-include='/usr/share/man/man1/intram*' --path-include='/usr/share/man/fr/man1/intram*' --path-include='/usr/share/doc/intram/*' --install "$package" >"$work/dpkg.log" 2>&1 ||
    { cat "$work/dpkg.log"; fail "$package cannot be installed"; }
  same "$package: files" "$want" "$(dpkg -L intram | while read -r file; do [[ ! -f $file ]] || echo "$file"; done | LC_ALL=C sort)"
  same "$package: changed files" "" "$(dpkg --verify intram)"
  same "/usr/bin/intram version" "$version" "$(/usr/bin/intram version --json | jq -r .version)"

  export HOME=$work/home XDG_CACHE_HOME=$work/home/.cache XDG_CONFIG_HOME=$work/home/.config
  mkfifo "$work/banner"
  /usr/bin/intram serve --addr 127.0.0.1:0 >"$work/banner" 2>&1 &
  server=$!
  exec 3<"$work/banner"
  read -r -t 30 line <&3 || fail "intram serve: says nothing"
  url=${line##* }
  same "intram serve: its dashboard" 200 "$(curl -sSL -b '' -o /dev/null -w '%{http_code}' "$url/_intram/")"
  same "intram balance --local" XOF "$(/usr/bin/intram balance --local --json | jq -r .currency)"
  kill "$server"
  wait "$server" || fail "intram serve: ended with status $?"
  server=
  exec 3<&-

  same "man -w intram" /usr/share/man/man1/intram.1.gz "$(man -w intram)"
  page=$(MANPAGER=cat MANWIDTH=80 man intram 2>&1)
  [[ $page == *"The Intram Merchant API"* && $page == *SYNOPSIS* ]] || fail "man intram shows: $page"
  page=$(MANPAGER=cat MANWIDTH=80 man -L fr intram 2>&1)
  [[ $page == *"API marchande"* && $page == *NOM* ]] || fail "man -L fr intram shows: $page"

  # _get_comp_words_by_ref is bash-completion's, which need not be here, and bash refuses compopt unless somebody presses Tab.
  completed=$(env -i PATH=/usr/bin:/bin HOME="$HOME" bash --norc -ec '
    _get_comp_words_by_ref() { cur=pay prev=intram words=(intram pay) cword=1; }
    compopt() { :; }
    source /usr/share/bash-completion/completions/intram
    complete -p intram >/dev/null
    COMP_TYPE=9 COMP_LINE="intram pay"
    __start_intram
    printf "%s\n" "${COMPREPLY[@]%% *}" | sort')
  same "completion of 'intram pay'" "payin payment-requests payouts" "$(paste -sd' ' <<<"$completed")"

  "${asroot[@]}" dpkg --purge intram >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log"; fail "$package cannot be removed"; }
  installed=false
  ! dpkg -L intram >/dev/null 2>&1 || fail "dpkg still lists files of intram"
  while read -r file; do
    [[ ! -e $file ]] || fail "$file was left behind"
  done <<<"$want"
  same "$package: folders left behind" "" "$(dpkg-deb --fsys-tarfile "$package" | tar -t | sed -n 's,^\./\(.*\)/$,/\1,p' |
    while read -r folder; do [[ ! -d $folder ]] || grep -qxF "$folder" <<<"$before" || echo "$folder"; done)"
  checked "the .deb was installed, intram serve responded, man and completion found theirs; it was removed, and nothing is left"
}

if ! command -v dpkg >/dev/null || ! command -v man >/dev/null; then
  skip "there is no dpkg or no man here: the .deb is not installed"
elif [[ ${CI-} != true && $(id -u) -ne 0 ]]; then
  skip "you are not root: the .deb is not installed"
else
  install
fi
