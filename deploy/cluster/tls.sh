#!/bin/bash
# Certificates for a Dask cluster whose port others can reach, and Dask's settings that use them: ./tls.sh FOLDER
# Whoever holds dask.key may run code on the cluster; ca.key makes more such keys, and can be kept elsewhere.
set -euo pipefail
[ $# = 1 ] || { echo "usage: tls.sh FOLDER" >&2; exit 2; }
umask 077
mkdir -p "$1" && cd "$1"
[ ! -e ca.key ] || { echo "tls.sh: there are keys in $1 already" >&2; exit 1; }

openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj "/CN=hcr cluster" -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout ca.key -out ca.pem
openssl req -new -newkey rsa:3072 -nodes -subj "/CN=hcr" -keyout dask.key -out dask.csr
openssl x509 -req -in dask.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -out dask.pem -extfile <(
    printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature,keyEncipherment \
        extendedKeyUsage=serverAuth,clientAuth subjectKeyIdentifier=hash authorityKeyIdentifier=keyid
)
rm dask.csr

cat >dask.yaml <<END
distributed:
  comm:
    default-scheme: tls
    require-encryption: true
    tls:
      ca-file: $PWD/ca.pem
      scheduler: {cert: $PWD/dask.pem, key: $PWD/dask.key}
      worker: {cert: $PWD/dask.pem, key: $PWD/dask.key}
      client: {cert: $PWD/dask.pem, key: $PWD/dask.key}
END
echo "export DASK_CONFIG=$PWD/dask.yaml"
