#!/usr/bin/env bash
# Make a Python base image from Debian's own packages, for machines that can reach a Debian mirror but no image registry.
#   base-image.sh NAME CACHE    import it into the engine at DOCKER_HOST under NAME; the file system is kept in CACHE
# The image has what the Dockerfile needs of the official one: python at /usr/local/bin/python, pip and venv.
set -euo pipefail

name=$1 cache=$2
packages=base-files,bash,coreutils,dash,tar,gzip,sed,grep,findutils,libc-bin,passwd,netbase,tzdata,ca-certificates,libstdc++6
packages+=,python3,python3-pip,python3-venv,python3-setuptools
certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
pip_index=$(python3 -m pip config get global.index-url 2>/dev/null || true)

key=$(cat "$0" "$certificates" <(echo "$pip_index") | sha256sum | cut -c1-16)
archive=$cache/base-$key.tar

if [[ ! -f $archive ]]; then
  mkdir -p "$cache"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  # shellcheck disable=SC2016  # apt expands it, not the shell
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | sort -u | head -1)
  mmdebstrap --quiet --variant=extract --aptopt='Apt::Install-Recommends "false"' --include="$packages" \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr bookworm "$work/debian.tar" "$mirror"

  root=$work/root
  mkdir "$root"
  tar -C "$root" -xf "$work/debian.tar"
  mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs"
  ln -sf /usr/bin/python3 "$root/usr/local/bin/python"
  ln -sf /usr/bin/python3 "$root/usr/local/bin/python3"
  rm -f "$root"/usr/lib/python3.*/EXTERNALLY-MANAGED
  # Unpacked packages have not run their set-up scripts: what the image needs of those is done here.
  echo 'root:x:0:0:root:/root:/bin/bash' > "$root/etc/passwd"
  echo 'root:x:0:' > "$root/etc/group"
  cp "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"
  printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' > "$root/etc/pip.conf"
  if [[ -n $pip_index ]]; then
    printf 'index-url = %s\n' "$pip_index" >> "$root/etc/pip.conf"
  fi
  # Only the file system is wanted: the byte code is made by the Dockerfile, documents serve no one.
  find "$root" -depth -name __pycache__ -exec rm -r {} +
  rm -rf "$root"/usr/share/{doc,man,locale,info} "$root"/var/cache/* "$root"/var/lib/apt/lists/*
  tar -C "$root" -cf "$archive.part" .
  mv "$archive.part" "$archive"
fi

docker import --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' "$archive" "$name"
