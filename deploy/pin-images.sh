#!/bin/sh
# Asks the registries for the digest of each image in images.txt, and writes it behind the tag wherever
# the files of this folder name the image. Run it where registries can be reached; it needs Docker.
set -eu
cd "$(dirname "$0")"
while read -r image; do
    digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image" < /dev/null)
    case $digest in
        sha256:????????????????????????????????????????????????????????????????) ;;
        *) echo "pin-images: no digest of $image: '$digest'" >&2; exit 1 ;;
    esac
    find . -name '*.yaml' -o -name Dockerfile | while read -r file; do
        sed -i -E "s|([ =])$image(@sha256:[0-9a-f]{64})?\$|\\1$image@$digest|" "$file"
    done
    echo "$image@$digest"
done < images.txt
